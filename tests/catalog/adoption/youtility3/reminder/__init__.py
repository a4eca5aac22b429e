"""Stands for `apps.reminder` of the real application."""
