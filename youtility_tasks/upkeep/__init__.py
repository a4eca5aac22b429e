"""Housekeeping: one file a duty, each a function of `now` that returns a count."""
