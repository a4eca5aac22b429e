"""`python -m youtility_tasks.verify.bridge.caller`: the site of a run, which calls every task in turn until SIGTERM."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import threading

import django


def main() -> None:
    """Call, each task by `.delay`, for one tenant and the other, now and then in a transaction."""
    django.setup()
    from django.db import connections, transaction

    from youtility_tasks import tenant
    from youtility_tasks.verify.ledger import Ledger

    from . import acting

    stopped = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stopped.set())
    ledger, rng = Ledger.from_environment(), random.Random(int(os.environ["YOUTILITY_VERIFY_SEED"]))  # noqa: S311
    rate = float(os.environ["YOUTILITY_VERIFY_RATE"])
    tenants = sorted(map(int, acting.company()))
    names: list[object] = []
    number = 0
    while not stopped.is_set():
        if not names:
            names = rng.sample(acting.tasks(), len(acting.tasks()))
        task = names.pop()
        number += 1
        tail = "+" if number % 7 == 0 else ""
        with (
            contextlib.suppress(Exception),  # the ledger has been told
            tenant(tenants[number % len(tenants)]),
            transaction.atomic() if number % 5 == 0 else contextlib.nullcontext(),
        ):
            acting.call(ledger, task, f"call-{number:05d}{tail}", tenants[number % len(tenants)])  # type: ignore[arg-type]
        stopped.wait(rng.uniform(0.5, 1.5) / rate)
    connections.close_all()
    ledger.close()


if __name__ == "__main__":
    main()
