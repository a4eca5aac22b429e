"""Django's admin: `queue` (jobs, attempts, controls, tenants), `house` (workers, counters), `letters` (redrives), `numbers`
(operations, metrics), `schedules`, `tokens`, `workflows`; on `doors`, whose classes are django-unfold's where that is installed."""

from . import house, letters, numbers, queue, schedules, tokens, workflows

__all__ = ["house", "letters", "numbers", "queue", "schedules", "tokens", "workflows"]
