"""procrastinate as it comes: its worker, its command line, its App on a crew's database."""

from __future__ import annotations

import contextlib
import json
import signal
import subprocess
import sys
from collections.abc import Iterator

from tests import warm
from tests.acceptance.crew import QUICK, REPOSITORY, Crew


def environment(crew: Crew, **more: str) -> dict[str, str]:
    return {
        **crew.env,
        "DJANGO_SETTINGS_MODULE": "tests.acceptance.settings",
        "TEST_SETTINGS": json.dumps(QUICK),
        "TEST_DIARY": str(crew.folder / "diary"),
        **more,
    }


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "django", "procrastinate", *arguments]


def start_worker(crew: Crew, *arguments: str, **env: str) -> subprocess.Popen[bytes]:
    """`manage.py procrastinate worker`, as it comes."""
    return warm.Popen(
        command("worker", "--queues", "maintenance", *arguments),
        cwd=REPOSITORY,
        env=environment(crew, **env),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )


@contextlib.contextmanager
def worker(crew: Crew, *arguments: str, **env: str) -> Iterator[subprocess.Popen[bytes]]:
    """Its worker for the length of a block, asked to stop at the end."""
    process = start_worker(crew, *arguments, **env)
    try:
        yield process
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        process.communicate(timeout=30)


def run_worker_once(crew: Crew) -> str:
    """Its worker until nothing is due; what it said."""
    process = start_worker(crew, "--one-shot")
    said, _ = process.communicate(timeout=60)
    assert process.returncode == 0, said.decode()
    return said.decode()


def say(crew: Crew, *arguments: str, typed: str | None = None) -> str:
    """Run its command line, typing `typed`; what it printed. It must end well."""
    done = warm.run(
        command(*arguments),
        cwd=REPOSITORY,
        env=environment(crew),
        input=typed,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
