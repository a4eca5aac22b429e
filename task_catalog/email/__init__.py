"""One message, one effect key."""

from . import alerts, reminders, reports, tickets, vendors, work_permits

__all__ = ["alerts", "reminders", "reports", "tickets", "vendors", "work_permits"]
