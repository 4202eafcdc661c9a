"""The Compare place: one prompt, two to eight columns."""
