"""What create_job costs by the number of plans: seconds, statements and memory of the first run and of one that finds all made.

    python -m tests.benchmarks.planning_volume [plans [mix]]

measures n/16, n/4 and n plans (10,000 unless told otherwise) on a durable server of its own: tasks three times a day with
five questions, and the company's mix, in which every seventh plan is a tour of six checkpoints every three hours.
Nothing else should be running.
"""

from __future__ import annotations

import json
import sys
from typing import Any

from tests.benchmarks import volume

PLANS = 10_000
BOUND_S = 60
_HERE = "tests.benchmarks.planning_volume"
MIXES = ("tasks", "company")


def fill(plans: int, mix: str) -> None:
    """So many plans of one client, on assets of their own."""
    from task_catalog.facility.models import Asset, Job
    from task_catalog.facility.sentinels import ensure_sentinels
    from tests.catalog.planning.world import Planner

    ensure_sentinels()
    acme = Planner("acme", ctzoffset=330)
    site = acme.site("1")
    tours = plans // 7 if mix == "company" else 0
    daily = plans * 2 // 7 if mix == "company" else 0
    thrice = acme.plan(site, qset=acme.qset(5), cron="0 6,14,22 * * *")
    _many(Job, thrice.pk, plans - daily - tours, Asset, thrice.asset_id)
    if mix == "company":
        once = acme.plan(site, qset=acme.qset(5), cron="30 9 * * 1-5")
        _many(Job, once.pk, daily, Asset, once.asset_id)
        tour = acme.tour(site, *[3] * 6)
        Job.objects.filter(parent=tour).update(qset=acme.qset(4))
        volume.copy_below(Job, tour.pk, volume.multiply(Job, tour.pk, tours - 1, jobname="'tour ' || n"))


def _many(plan: Any, pk: int, count: int, asset: Any, asset_id: int) -> None:
    first, *_ = assets = volume.multiply(asset, asset_id, count - 1, assetcode=f"'{asset_id}-' || n")
    assert assets == list(range(first, first + count - 1))
    volume.multiply(plan, pk, count - 1, jobname=f"'plan {pk} ' || n", asset_id=f"{first - 1} + n")


def _run() -> dict[str, Any]:
    from task_catalog.high_priority.scheduling import create_job
    from tests.catalog.planning.world import run

    said = run(create_job)
    return {name: value for name, value in said.items() if isinstance(value, int | str)}


def _fill(plans: int, mix: str) -> dict[str, Any]:
    from django.db import connection

    fill(plans, mix)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
    return {}


def measure(url: str, plans: int, mix: str) -> dict[str, volume.Measured]:
    """The first run and the second, on an empty database."""
    volume.measure(url, _HERE, "--fill", str(plans), mix)
    return {name: volume.measure(url, _HERE, "--run") for name in ("first", "again")}


def main(arguments: list[str]) -> None:
    if arguments and arguments[0] in ("--fill", "--run"):
        import django

        django.setup()
        volume.tell(_run if arguments[0] == "--run" else lambda: _fill(int(arguments[1]), arguments[2]))
        return
    most = int(arguments[0]) if arguments else PLANS
    sizes = [most // 16, most // 4, most]
    with volume.server() as database:
        for mix in arguments[1:] or MIXES:
            found = [measure(database(), size, mix) for size in sizes]
            for size, each in zip(sizes, found, strict=True):
                for name, cost in each.items():
                    sys.stdout.write(json.dumps({"plans": size, "mix": mix, "run": name, **vars(cost)}) + "\n")
            for name in ("first", "again"):
                power = volume.exponent(sizes, [each[name].cpu_s for each in found])
                sys.stdout.write(f"{mix}, {name}: processor time grows with plans ^ {power}\n")


if __name__ == "__main__":
    main(sys.argv[1:])
