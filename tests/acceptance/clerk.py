"""`manage_task_queue` in a process that stays: an act takes milliseconds, and is done when its answer is read."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from typing import Any

from tests import warm
from tests.acceptance.crew import QUICK, REPOSITORY, Crew


class Clerk:
    """Somebody at a terminal beside the crew."""

    def __init__(self, crew: Crew) -> None:
        settings = {"DJANGO_SETTINGS_MODULE": "tests.acceptance.settings", "TEST_SETTINGS": json.dumps(QUICK)}
        self._process = warm.Popen(
            [sys.executable, "-m", "tests.acceptance.clerk"],
            cwd=REPOSITORY,
            env={**crew.env, **settings, "TEST_DIARY": str(crew.folder / "diary")},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def do(self, *words: object) -> Any:
        """What the command answers in JSON."""
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write(json.dumps([str(word) for word in words]) + "\n")
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline())

    def close(self) -> None:
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()
        self._process.wait(10)


def serve() -> None:
    """One line of words in, one line of JSON out, until there are no more."""
    import django

    django.setup()
    from django.core.management import call_command

    for line in sys.stdin:
        out = io.StringIO()
        call_command("manage_task_queue", *json.loads(line), "--json", stdout=out)
        sys.stdout.write(json.dumps(json.loads(out.getvalue())) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    serve()
