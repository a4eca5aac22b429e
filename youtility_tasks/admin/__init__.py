"""Django's admin: `queue` (jobs, attempts, workers, controls, tenants) and `schedules`."""

from . import queue, schedules

__all__ = ["queue", "schedules"]
