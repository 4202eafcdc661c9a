"""The Evaluate place: test sets, runs, verdicts."""
