"""What auto_close_jobs costs by the number of due rows: seconds, statements, memory, and how often it went on by itself.

    python -m tests.benchmarks.closing_volume [rows]

measures n/16, n/4 and n rows (100,000 unless told otherwise) on a durable server of its own. The mix is the company's: of
nine rows three are tours of six checkpoints; a sixth of all rows raise tickets and a sixth only mail, to a mail server that
takes everything. Each run is a process of its own, with the task's own time limit; as long as the task enqueues itself
again, another follows. Nothing else should be running.
"""

from __future__ import annotations

import json
import sys
from typing import Any

from tests.benchmarks import volume

ROWS = 100_000
_HERE = "tests.benchmarks.closing_volume"
_KINDS = [
    # identifier, status, stops done of six (None: no tour), notify category, how many of nine
    ("TASK", "ASSIGNED", None, "AUTOCLOSED", 3),
    ("TASK", "INPROGRESS", None, "AUTOCLOSED", 2),
    ("TASK", "ASSIGNED", None, "AUTOCLOSENOTIFY", 1),
    ("INTERNALTOUR", "ASSIGNED", 0, "AUTOCLOSED", 1),
    ("INTERNALTOUR", "INPROGRESS", 3, "RAISETICKETNOTIFY", 2),
]
_PLACES = 20
"""Sites of the client."""


def fill(rows: int) -> None:
    """So many due rows of one client, at twenty sites."""
    from task_catalog.facility.models import Jobneed
    from task_catalog.facility.sentinels import ensure_sentinels
    from tests.catalog.closing.world import Company

    ensure_sentinels()
    acme = Company("acme", ctzoffset=330)
    sites = [acme.site(str(number)) for number in range(_PLACES)]
    for site in sites:
        acme.in_charge(site)
    acme.person("admin", isadmin=True)
    first = sites[0].pk
    assert [site.pk for site in sites] == list(range(first, first + _PLACES))
    for identifier, status, done, notify, share in _KINDS:
        original = acme.work(sites[0], identifier=identifier, jobstatus=status, notify=notify)
        if done is not None:
            for number in range(6):
                acme.stop(original, "COMPLETED" if number < done else "ASSIGNED", seqno=number)
        copies = volume.multiply(
            Jobneed,
            original.pk,
            rows * share // 9 - 1,
            bu_id=f"{first} + mod(n, {_PLACES})",
            expirydatetime="original.expirydatetime - mod(n, 1440) * interval '1 minute'",
        )
        if done is not None:
            volume.copy_below(Jobneed, original.pk, copies)


def _fill(rows: int) -> dict[str, Any]:
    from django.db import connection

    fill(rows)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
    return {}


def _run() -> dict[str, Any]:
    from task_catalog.high_priority.closing import auto_close_jobs
    from tests.catalog.closing.world import run

    said = run(auto_close_jobs)
    return {name: value for name, value in said.items() if isinstance(value, int | str)}


def measure(url: str, rows: int, *, mail_port: int) -> list[volume.Measured]:
    """Fill an empty database and close everything; a figure a run."""
    volume.measure(url, _HERE, "--fill", str(rows))
    env = {"EMAIL_HOST": "127.0.0.1", "EMAIL_PORT": str(mail_port)}
    runs = []
    while not runs or runs[-1].said["status"] == "partial":
        runs.append(volume.measure(url, _HERE, "--run", env=env))
    return runs


def main(arguments: list[str]) -> None:
    if arguments and arguments[0] in ("--fill", "--run"):
        import django

        django.setup()
        volume.tell(_run if arguments[0] == "--run" else lambda: _fill(int(arguments[1])))
        return
    most = int(arguments[0]) if arguments else ROWS
    sizes = [most // 16, most // 4, most]
    spent = []
    with volume.server() as database, volume.mail_sink() as (port, _):
        for size in sizes:
            runs = measure(database(), size, mail_port=port)
            spent.append(sum(each.cpu_s for each in runs))
            for each in runs:
                sys.stdout.write(json.dumps({"rows": size, **vars(each)}) + "\n")
    sys.stdout.write(f"processor time grows with rows ^ {volume.exponent(sizes, spent)}\n")


if __name__ == "__main__":
    main(sys.argv[1:])
