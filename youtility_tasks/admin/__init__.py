"""Django's admin: `queue` (jobs, attempts, workers, controls, tenants), `letters` (redrives), `schedules` and `workflows`."""

from . import letters, queue, schedules, workflows

__all__ = ["letters", "queue", "schedules", "workflows"]
