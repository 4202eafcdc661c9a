"""The History place: every run in one table, found, looked at, asked again, written out."""
