"""Django's admin: `queue` (jobs, attempts, workers, controls, tenants), `schedules`, `tokens` and `workflows`."""

from . import queue, schedules, tokens, workflows

__all__ = ["queue", "schedules", "tokens", "workflows"]
