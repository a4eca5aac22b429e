"""Django's admin: `queue` (jobs, attempts, workers, controls, tenants), `letters` (redrives), `schedules`, `tokens`, `workflows`."""

from . import letters, queue, schedules, tokens, workflows

__all__ = ["letters", "queue", "schedules", "tokens", "workflows"]
