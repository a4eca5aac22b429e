"""A short form of the measurement of the three guards: each house is what it says, and the figures are plausible; never how fast."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import pytest

from tests.benchmarks import tenancy_cost
from tests.benchmarks.tenancy_cost import OFF, ON, House

pytestmark = pytest.mark.timeout(200)

_TENANTS = 3


@pytest.fixture(scope="module")
def measured() -> Iterator[tuple[dict[str, Any], dict[str, House]]]:
    """Two rounds of small drains, and the houses while they still stand."""
    with tenancy_cost.built([OFF, ON], _TENANTS) as houses:
        found = tenancy_cost.measure_in(houses, rounds=2, jobs=300, tasks=("noop", "row"))
        yield found, {house.guards.name: house for house in houses}


def test_each_figure_is_there_and_each_house_says_what_it_lacks(measured: Any) -> None:
    found, _ = measured

    for task in ("noop", "row"):
        for house in ("on", "off"):
            figures = found["drain"][task][house]
            for name in ("jobs_per_s", "cpu_us_a_job"):
                assert 0 < figures[name]["min"] <= figures[name]["median"] <= figures[name]["max"] < math.inf
        ratio = found["drain"][task]["on"]["ratio_to_off"]
        assert 0 < ratio["time_a_job"]["min"] <= ratio["time_a_job"]["median"] <= ratio["time_a_job"]["max"]
        assert "ratio_to_off" not in found["drain"][task]["off"]
    assert found["durability"] == {"fsync": "on", "synchronous_commit": "on"}
    assert {guard: text.partition(":")[0] for guard, text in found["houses"]["on"].items()} == {
        "row_level_security": "on", "fence": "on", "turns": "on",
    }  # fmt: skip
    assert all(text.startswith("off: ") for text in found["houses"]["off"].values())


def test_the_house_with_the_guards_has_them(measured: Any) -> None:
    _, houses = measured
    on = houses["on"]

    ((forced,),) = on.rows(
        "SELECT relrowsecurity AND relforcerowsecurity FROM pg_class WHERE relname = 'procrastinate_jobs'"
    )
    connected = {
        name
        for (name,) in on.rows(
            "SELECT usename FROM pg_stat_activity WHERE datname = %s AND backend_type = 'client backend' AND usename <> current_user",
            on.dbname,
        )
    }
    assert forced and connected and all(name.endswith(("the_worker", "the_task")) for name in connected)
    assert on.rows("SELECT min(claim_number) FROM youtility_tasks_history") == [(1,)]
    assert on.rows("SELECT count(DISTINCT tenant_id) FROM youtility_tasks_history") == [(_TENANTS,)]


def test_the_house_without_them_has_none_of_them(measured: Any) -> None:
    _, houses = measured
    off = houses["off"]

    assert off.rows("SELECT count(*) FROM pg_class WHERE relrowsecurity") == [(0,)]
    assert off.rows("SELECT DISTINCT claim_number FROM youtility_tasks_history") == [(0,)]
    ((finish,),) = off.rows("SELECT pg_get_functiondef('youtility_tasks_finish_v2'::regproc)")
    ((claim,),) = off.rows("SELECT pg_get_functiondef('youtility_tasks_claim_v2'::regproc)")
    assert "claim_number = e.claim_number" not in finish and "youtility_tasks_ready_v2" not in claim


def test_both_houses_did_the_same_work(measured: Any) -> None:
    _, houses = measured
    done = [
        house.rows(
            "SELECT task_name, tenant_id, status, outcome, count(*) FROM youtility_tasks_history GROUP BY 1, 2, 3, 4 ORDER BY 2"
        )
        for house in houses.values()
    ]
    assert done[0] == done[1] and len(done[0]) == _TENANTS
