"""A command says for whom it waits, and else nothing."""

from __future__ import annotations

import io
import json
import threading

import pytest
from django.core.management import call_command

from tests.integration.desk import execute
from tests.integration.sessions import aside
from youtility_tasks.management import waiting
from youtility_tasks.management.verbs import VERBS

pytestmark = pytest.mark.usefixtures("committed")


def stats() -> tuple[str, str]:
    out, err = io.StringIO(), io.StringIO()
    call_command("manage_task_queue", "stats", "--json", stdout=out, stderr=err)
    return out.getvalue(), err.getvalue()


def test_a_command_that_waits_for_a_lock_says_once_who_holds_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting, "LOOK_EVERY_S", 0.1)
    with aside() as other:
        other.do(lambda: execute("BEGIN"))
        other.do(lambda: execute("LOCK TABLE procrastinate_jobs"))
        end = threading.Timer(1.5, other.do, [lambda: execute("ROLLBACK")])
        end.start()
        out, err = stats()
        end.join()

    assert "queues" in json.loads(out)
    assert err.count("Waits for a lock") == 1
    assert f"held by session {other.pid} (" in err and "idle in transaction, since " in err


def test_a_command_that_takes_long_and_waits_for_nobody_says_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting, "LOOK_EVERY_S", 0.05)
    verb = next(each for each in VERBS if each.NAME == "stats")
    run = verb.run
    monkeypatch.setattr(verb, "run", lambda words: (execute("SELECT pg_sleep(0.5)"), run(words))[1])

    assert stats()[1] == ""


def test_while_a_command_asks_nothing_nobody_is_asked_about_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """`--watch` rests for most of its time; another connection every few seconds would be its only work."""
    asked: list[int] = []
    monkeypatch.setattr(waiting, "LOOK_EVERY_S", 0.02)
    monkeypatch.setattr(waiting, "_holders", lambda pid: asked.append(pid) or {})
    verb = next(each for each in VERBS if each.NAME == "stats")
    run, rest = verb.run, threading.Event()
    monkeypatch.setattr(verb, "run", lambda words: (execute("SELECT 1"), rest.wait(0.3), run(words))[2])

    stats()

    assert len(asked) < 5  # of fifteen looks those that met a statement
