"""A seed plans the same jobs and the same faults again."""

from __future__ import annotations

import itertools

from youtility_tasks.verify import plan
from youtility_tasks.verify.nemesis import FAULTS
from youtility_tasks.verify.shapes import SHAPES


def test_a_seed_plans_the_same_again_and_another_seed_something_else() -> None:
    assert plan.jobs(7, 200) == plan.jobs(7, 200) != plan.jobs(8, 200)
    assert plan.faults(7, list(FAULTS), 20) == plan.faults(7, list(FAULTS), 20) != plan.faults(8, list(FAULTS), 20)


def test_every_shape_and_every_tenant_takes_part() -> None:
    planned = plan.jobs(7, 200)

    assert {one.shape for one in planned} == {name for name, shape in SHAPES.items() if shape.share}
    assert {one.tenant_id for one in planned} == set(plan.TENANTS)
    assert len({one.key for one in planned}) == 200


def test_faults_come_in_gaps_of_2_to_20_seconds_and_end_before_the_run_does() -> None:
    times = [at for at, _ in plan.faults(7, list(FAULTS), 20)]

    gaps = [later - earlier for earlier, later in itertools.pairwise(times)]
    assert min(gaps) >= 2
    assert max(gaps) <= 20
    assert max(times) < 20 * 60 - 15
