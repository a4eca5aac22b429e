"""An application that goes on enqueuing, until a file appears; run with the code of a release in PYTHONPATH."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import django


def main(stop: Path) -> None:
    """Print the id of each job once its transaction is over."""
    from django.db import transaction

    from tests.acceptance.app.tasks import adds, reads_slowly, tells_context
    from youtility_tasks import enqueue_many

    n = 0
    while not stop.exists():
        n += 1
        with transaction.atomic():
            made = [adds.enqueue(a=n, b=1), reads_slowly.enqueue(n=n)]
            made += enqueue_many(adds, [{"a": n, "b": 2}])
        made.append(tells_context.using(unique=f"{sys.argv[2]} {n}").enqueue(fail_until=1 + n % 2))
        for each in made:
            sys.stdout.write(f"{each.id}\n")
            sys.stdout.flush()
        time.sleep(0.05)


if __name__ == "__main__":
    django.setup()
    main(Path(sys.argv[1]))
