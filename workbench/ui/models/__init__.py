"""The Models place: what is installed, what the Hub has, and what is being downloaded."""
