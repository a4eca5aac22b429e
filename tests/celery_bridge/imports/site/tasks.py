"""The same tasks as ours; `site.unknown` is not among them."""

from datetime import datetime

from youtility_tasks import Retry, task
from youtility_tasks.celery_bridge import shared_task


@task(name="site.sweep", tenant="all", queue_name="maintenance")
def sweep(*, floor: int = 0) -> int:
    """Sweep a floor."""
    return floor


@task(name="site.greet", queue_name="email", priority=4, retry=Retry(6))
def greet(*, guest: str = "nobody", times: int = 1) -> str:
    """Greet a guest of one tenant."""
    return f"hello {guest}"


@task(name="site.doze", tenant="all", queue_name="reports")
def doze(*, seconds: float) -> float:
    """Doze."""
    return seconds


@shared_task(name="site.shared")
def shared(when: datetime, note: str = "") -> str:
    """One of Celery's form."""
    return f"{note} {when.isoformat()}"
