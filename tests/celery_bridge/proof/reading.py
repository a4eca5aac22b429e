"""`python -m tests.celery_bridge.proof.reading TARGET`: a stage on which the commands of the book are given, one after the other, under load.

The site's services of the book (`systemctl`) are the stage's processes; `verify` is not played inside itself.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import django

from tests.celery_bridge.proof import book


def main(target: str) -> None:
    django.setup()
    from youtility_tasks.verify.bridge.cast import Cast
    from youtility_tasks.verify.bridge.play import Play
    from youtility_tasks.verify.ledger import Ledger

    ledger = Ledger.from_environment()
    ledger.prepare()
    with contextlib.closing(Cast(dict(os.environ), ledger.folder, ledger)) as cast, contextlib.closing(ledger):
        play = Play(cast, 0.2, 8)
        play.set_up()
        play.beat_begins()
        text = book.BOOK.read_text(encoding="utf-8")
        said = []
        for words in book.steps(text):
            if words[0] == "systemctl":
                said.append([" ".join(words), service(cast, words[2]), ""])
                continue
            if words[:2] == ["redis-cli", "llen"]:
                for row in table(text, play):
                    said.append(row)
            said.append([" ".join(words), *give(cast, words)])
        Path(target).write_text(json.dumps(said), encoding="utf-8")


def table(text: str, play: Any) -> list[list[Any]]:
    """The table's commands, while there is a job and a worker to name."""
    from youtility_tasks.models import Job, TaskExecutionHistory, TaskWorker

    job = (
        Job.objects.order_by("-pk").values_list("pk", flat=True).first()
        or TaskExecutionHistory.objects.values_list("job_id", flat=True).first()
    )
    ids = {"JOB": job, "WORKER": TaskWorker.objects.order_by("-pk").values_list("pk", flat=True).first()}
    return [[" ".join(words), *command([str(ids.get(word, word)) for word in words])] for words in book.table(text)]


def give(cast: Any, words: list[str]) -> tuple[int, str]:
    """A line of a block: its exit status, and what it said."""
    if words[0] == "redis-cli":
        done = subprocess.run(
            [shutil.which("redis-cli") or "redis-cli", "-p", str(cast.port), *words[1:]],
            capture_output=True,
            text=True,
            timeout=20,
        )
        return done.returncode, done.stdout.strip()
    if words[1:3] == ["celery_bridge", "verify"]:
        return command([*words[1:], "--help"])
    return command(words[1:])


def service(cast: Any, name: str) -> int:
    """`systemctl stop NAME`: the stage's own."""
    if name == "celery-worker":
        cast.stop("celery")
    elif name == "celery-beat":
        cast.stop("beat")
    else:
        cast.stop("caller")
        cast.stop("redis")
    return 0


def command(words: list[str]) -> tuple[int, str]:
    from django.core.management import call_command

    out, err = io.StringIO(), io.StringIO()
    try:
        with contextlib.redirect_stdout(out):
            call_command(*words, stdout=out, stderr=err)
    except SystemExit as ended:
        return int(ended.code or 0), out.getvalue() + err.getvalue()
    except Exception as error:
        return 99, f"{type(error).__name__}: {error}"
    return 0, out.getvalue() + err.getvalue()


if __name__ == "__main__":
    main(sys.argv[1])
