"""One message, one effect key."""

from . import alerts, reports, vendors, work_permits

__all__ = ["alerts", "reports", "vendors", "work_permits"]
