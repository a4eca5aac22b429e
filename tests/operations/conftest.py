"""Jobs in every status; the desk and the tenants are those of tests/integration."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.integration.conftest import acme, add_task, committed, desk, other_tenant
from tests.integration.desk import rows

__all__ = ["acme", "add_task", "committed", "desk", "other_tenant"]

WAIT = """
    INSERT INTO procrastinate_jobs (queue_name, task_name, noted, tenant_id, priority, args)
    SELECT 'maintenance', %s, false, %s, 6, jsonb_build_object('number', n) FROM generate_series(1, %s) n RETURNING id
"""
DEAD = """
    INSERT INTO procrastinate_jobs (queue_name, task_name, noted, tenant_id, status, failed_at, attempts, fingerprint, claim_number)
    SELECT 'maintenance', %s, false, %s, 'failed', clock_timestamp(), 3, 'aaaaaaaaaaaaaaaa', 3 FROM generate_series(1, %s) RETURNING id
"""


@pytest.fixture
def waiting() -> Callable[..., list[int]]:
    """`waiting(7, 3)`: three jobs of tenant 7 that wait."""
    return lambda tenant_id, n=1, task="t": [each for (each,) in rows(WAIT, task, tenant_id, n)]


@pytest.fixture
def dead() -> Callable[..., list[int]]:
    """`dead(7, 3)`: three dead letters of tenant 7."""
    return lambda tenant_id, n=1, task="t": [each for (each,) in rows(DEAD, task, tenant_id, n)]


@pytest.fixture
def carry() -> Callable[..., Any]:
    """Carry an operation on to its end, as workers do; how it then stands."""
    from youtility_tasks import operations
    from youtility_tasks.operations import carrying

    def to_its_end(row: Any, **how: Any) -> Any:
        assert carrying.carry_on(row.pk, row.tenant_id, most_s=60, **how) is True
        return operations.get(row.pk)

    return to_its_end
