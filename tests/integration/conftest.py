"""What tests of the queue start from: two tenants, tasks, and a worker's desk without a worker's process."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.integration.desk import Desk, execute
from tests.integration.idle import Idle, offering
from tests.integration.mutants import definition
from youtility_tasks import Retry, Task, TaskContext, queries
from youtility_tasks.models import Tenant

TABLES = (
    "procrastinate_jobs",
    "procrastinate_workers",
    "youtility_tasks_bridgecall",
    "youtility_tasks_history",
    "youtility_tasks_metricstotal",
    "youtility_tasks_queuecontrol",
    "youtility_tasks_queuecounter",
    "youtility_tasks_queuesnapshot",
    "youtility_tasks_redrive",
    "youtility_tasks_scheduledtask",
    "youtility_tasks_scheduleholiday",
    "youtility_tasks_snapshotmark",
    "youtility_tasks_taskauditlog",
    "youtility_tasks_taskeffect",
    "youtility_tasks_taskperformancemetrics",
    "youtility_tasks_metricssum",
    "youtility_tasks_taskworker",
    "youtility_tasks_taskworkflow",
    "youtility_tasks_workflowtemplate",
    "youtility_tasks_uniquekey",
    "youtility_tasks_tenant",
)


@pytest.fixture
def committed(django_db_setup: None, django_db_blocker: Any) -> Iterator[None]:
    """Real transactions, for what a savepoint cannot show; afterwards the house's tables are empty."""
    with django_db_blocker.unblock():
        yield
        execute(f"TRUNCATE {', '.join(TABLES)} CASCADE")


@pytest.fixture
def says(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., None]]:
    """Puts texts in the place of `sql/<name>.sql`."""
    texts: dict[str, str] = {}
    monkeypatch.setattr(queries, "statement", lambda name: texts[name])
    queries.numbered.cache_clear()
    yield lambda **said: texts.update(said)
    queries.numbered.cache_clear()


# -- tenants and tasks


@pytest.fixture
def acme(db: None) -> int:
    return Tenant.objects.create(id=7, name="Acme").pk


@pytest.fixture
def kept_acme(committed: None) -> int:
    """Acme, in a test of real transactions."""
    return Tenant.objects.create(id=7, name="Acme").pk


@pytest.fixture
def idle(committed: None) -> Iterator[Idle]:
    """A worker that has made its offer, and has one slot."""
    with offering() as made:
        yield made


@pytest.fixture
def other_tenant(db: None) -> int:
    return Tenant.objects.create(id=8, name="Other").pk


def add(*, number: int = 0) -> int:
    return number + 1


def sweep(*, number: int = 0) -> int:
    return number


def one_at_a_time(*, key: str = "k", number: int = 0) -> None:
    return None


def one_waiting(*, key: str = "k", number: int = 0) -> None:
    return None


def told(context: TaskContext, *, number: int = 0) -> list[Any]:
    return [context.attempt, context.max_attempts, context.tenant_id, context.task_name]


@pytest.fixture
def add_task(declare: Callable[..., Task]) -> Task:
    """A task of one tenant, three attempts without a wait."""
    return declare(add, retry=Retry(3))


@pytest.fixture
def sweep_task(declare: Callable[..., Task]) -> Task:
    """A task of all tenants."""
    return declare(sweep, tenant="all", retry=Retry(3))


@pytest.fixture
def locked_task(declare: Callable[..., Task]) -> Task:
    """A task that runs one at a time for each `key`."""
    return declare(one_at_a_time, tenant="all", retry=Retry(3), lock=lambda args: args["key"])


@pytest.fixture
def single_task(declare: Callable[..., Task]) -> Task:
    """A task that waits once for each `key`."""
    return declare(one_waiting, tenant="all", retry=Retry(3), queueing_lock=lambda args: args["key"])


@pytest.fixture
def desk(db: None) -> Desk:
    return Desk()


@pytest.fixture
def other_desk(db: None) -> Desk:
    return Desk()


@pytest.fixture
def never_slow(db: None) -> None:
    """After slow looks a claim leaves some jobs for a moment; on a machine that is busy with other things that may be any claim."""
    text = definition("youtility_tasks_claim_v2")
    assert "interval := '3 ms'" in text
    execute(text.replace("interval := '3 ms'", "interval := '1 hour'").replace("%", "%%"))
