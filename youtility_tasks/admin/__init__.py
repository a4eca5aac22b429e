"""Django's admin: `queue` (jobs, attempts, workers, controls, tenants), `schedules` and `workflows`."""

from . import queue, schedules, workflows

__all__ = ["queue", "schedules", "workflows"]
