"""Imports the four rooms, nothing else: the queue looks for this very name in each installed app."""

from . import email, high_priority, maintenance, reports

__all__ = ["email", "high_priority", "maintenance", "reports"]
