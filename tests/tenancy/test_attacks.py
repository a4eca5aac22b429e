"""SQL in the session of one tenant gets nothing of another's, whatever it tries."""

from __future__ import annotations

import pytest

from tests.tenancy.attacks import ACROSS_TENANTS, AS_TENANT
from tests.tenancy.attacks.ways import Attack, everything_of_b
from tests.tenancy.ground import House


@pytest.mark.parametrize("part", ["web", "task"])
@pytest.mark.parametrize("attack", AS_TENANT, ids=lambda attack: attack.__name__)
def test_a_tenant_gets_nothing_of_another(shared_house: House, attack: Attack, part: str) -> None:
    before = everything_of_b(shared_house)

    attack(shared_house, part)

    assert everything_of_b(shared_house) == before


@pytest.mark.parametrize("attack", ACROSS_TENANTS, ids=lambda attack: attack.__name__)
def test_who_sees_every_tenant_sees_no_more_than_his_work_needs(shared_house: House, attack: Attack) -> None:
    attack(shared_house, "")


def test_the_abort_of_a_job_that_procrastinate_made_names_it(house: House) -> None:
    """Its own worker goes by that; of ours nobody hears which it is (`listens`)."""
    (job_id,) = house.rows(
        "INSERT INTO procrastinate_jobs (queue_name, task_name, status, tenant_id) VALUES ('email', 't', 'doing', 7) RETURNING id"
    )[0]
    with house.connect() as session:
        session.execute("LISTEN procrastinate_any_queue_v1")
        house.rows("UPDATE procrastinate_jobs SET abort_requested = true WHERE id = %s", job_id)
        heard = [each.payload for each in session.notifies(timeout=5, stop_after=1)]
    assert heard == [f'{{"type" : "abort_job_requested", "job_id" : {job_id}}}']
