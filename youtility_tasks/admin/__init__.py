"""Django's admin: `queue` (jobs, attempts, controls, tenants), `house` (workers, counters), `letters` (redrives), `schedules`, `tokens`,
`workflows`; on `doors`, whose classes are django-unfold's where that is installed."""

from . import house, letters, queue, schedules, tokens, workflows

__all__ = ["house", "letters", "queue", "schedules", "tokens", "workflows"]
