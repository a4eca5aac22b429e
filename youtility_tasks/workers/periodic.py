"""procrastinate's own periodic tasks (`@app.periodic`) as schedules of ours: its deferrer is not run here."""

from __future__ import annotations

from collections.abc import Iterable

from procrastinate.contrib.django import app

from youtility_tasks.schedules.declaring import Declared

from . import adopted


def declared() -> Iterable[Declared]:
    """Each as a sweep's schedule that is told its tick, as procrastinate does; one that has no counterpart says why."""
    adopted.load()
    for (task_name, periodic_id), each in sorted(app.periodic_registry.periodic_tasks.items()):
        name = f"{task_name}:{periodic_id}" if periodic_id else task_name
        where = f"@app.periodic of procrastinate's task {task_name!r}"
        options = dict(each.configure_kwargs)
        said = {
            "task": task_name,
            "cron": each.cron,
            "zone": "UTC",
            "tick_argument": "timestamp",
            "args": options.pop("task_kwargs", None) or {},
            "grace_s": 600,  # its deferrer leaves out what is older
            "missed": "none",
        }
        if options.get("queue"):
            said["queue"] = options.pop("queue")
        left = sorted(key for key, value in options.items() if value is not None)
        flaw = ""
        if left:
            flaw = (
                f"it is configured with {', '.join(left)}, which a schedule has no word for. Declare the task with "
                "youtility_tasks.task and give it there."
            )
        elif len(each.cron.split()) != 5:
            flaw = f"its cron {each.cron!r} has {len(each.cron.split())} fields. Use `schedules.create(..., every_s=...)` for seconds."
        yield Declared(0, name, said, where, flaw)
