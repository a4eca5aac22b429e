"""Counts the day's totals in the database, the queue's history and the sink's file."""
