"""What a report costs by its rows when they come from the database: seconds, processor time and memory, by format.

    python -m tests.benchmarks.report_volume [rows]

measures LISTOFTASKS of n/16, n/4 and n rows (100,000 unless told otherwise) on a durable server of its own, from the form
to the finished file; a PDF takes no more than `report_pdf_rows`, so it is not among them.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from tests.benchmarks import volume

ROWS = 100_000
BOUND_MB = 150
"""Peak memory of the process that writes it, Django and the catalogue included."""
FORMATS = ("xlsx", "csv", "html", "json")
_HERE = "tests.benchmarks.report_volume"


def fill(rows: int) -> None:
    """So many tasks of one day of one client, with their people and assets."""
    from task_catalog.facility.models import Jobneed
    from task_catalog.facility.sentinels import ensure_sentinels
    from tests.catalog.planning.world import Planner

    ensure_sentinels()
    acme = Planner("acme", ctzoffset=330)
    site = acme.site("1")
    guard = acme.person("guard", site)
    row = acme.work(
        site,
        people_id=guard.pk,
        performedby_id=guard.pk,
        asset_id=acme.asset(site).pk,
        qset_id=acme.qset(1).pk,
        jobstatus="COMPLETED",
        starttime=volume.NOON,
        endtime=volume.NOON,
    )
    later = "original.plandatetime + mod(n, 720) * interval '1 minute'"
    volume.multiply(Jobneed, row.pk, rows - 1, jobdesc="'Check the pump ' || n", plandatetime=later)


def _fill(rows: int) -> dict[str, Any]:
    from django.db import connection

    fill(rows)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
    return {}


def _run(format: str) -> dict[str, Any]:
    from task_catalog.facility.models import Bt
    from task_catalog.reporting.making import make
    from task_catalog.reporting.request import read
    from youtility_tasks import tenant

    client_id = Bt.objects.get(bucode="ACME").pk
    form = {
        "report_name": "LISTOFTASKS",
        "format": format,
        "fromdatetime": "2025-03-03T00:00:00",
        "uptodatetime": "2025-03-04T00:00:00",
        "ctzoffset": 0,
        "site": Bt.objects.get(bucode="ACME-1").pk,
    }
    with tenant(client_id), TemporaryDirectory() as folder:
        path = Path(folder, f"report.{format}")
        path.touch()
        made = make(read(form, client_id=client_id), path)
        return {"rows": made.row_count, "file_mb": round(path.stat().st_size / 1_000_000, 2)}


def measure(url: str, rows: int) -> dict[str, volume.Measured]:
    """Every format, on an empty database that is filled first."""
    volume.measure(url, _HERE, "--fill", str(rows))
    return {format: volume.measure(url, _HERE, "--run", format) for format in FORMATS}


def main(arguments: list[str]) -> None:
    if arguments and arguments[0] in ("--fill", "--run"):
        import django

        django.setup()
        volume.tell(lambda: _run(arguments[1]) if arguments[0] == "--run" else _fill(int(arguments[1])))
        return
    most = int(arguments[0]) if arguments else ROWS
    sizes = [most // 16, most // 4, most]
    with volume.server() as database:
        found = [measure(database(), size) for size in sizes]
    for format in FORMATS:
        for each in found:
            sys.stdout.write(json.dumps({"format": format, **vars(each[format])}) + "\n")
        power = volume.exponent(sizes, [each[format].cpu_s for each in found])
        sys.stdout.write(f"{format}: processor time grows with rows ^ {power}\n")


if __name__ == "__main__":
    main(sys.argv[1:])
