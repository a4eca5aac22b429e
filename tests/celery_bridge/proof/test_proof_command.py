"""`celery_bridge verify`: its answer and its exit status, without the run."""

from __future__ import annotations

import contextlib
import io
import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from django.core.management import call_command

from tests.celery_bridge.proof.test_verdict import well  # noqa: F401 - a fixture
from youtility_tasks.verify.bridge import cast, run
from youtility_tasks.verify.bridge.evidence import Evidence
from youtility_tasks.verify.crew import NotInTime


@pytest.fixture
def verify(monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[int, Any, list[run.Script]]]:
    """Call it with a run that leaves this evidence, or raises; exit status, document, and what it wanted to play."""

    @contextlib.contextmanager
    def none_of_them() -> Iterator[tuple[str, str]]:
        yield "", ""

    def call(left: Evidence | Exception, *words: str) -> tuple[int, Any, list[run.Script]]:
        wanted: list[run.Script] = []

        def play(script: run.Script, *_: str) -> Evidence:
            wanted.append(script)
            if isinstance(left, Exception):
                raise left
            return left

        monkeypatch.setattr(run, "databases", none_of_them)
        monkeypatch.setattr(run, "play", play)
        monkeypatch.setattr(cast, "redis_server", lambda: "redis-server")
        out, code = io.StringIO(), 0
        try:
            call_command("celery_bridge", "verify", "--json", *words, stdout=out, stderr=io.StringIO())
        except SystemExit as ended:
            code = int(ended.code or 0)
        return code, json.loads(out.getvalue()), wanted

    return call


def test_it_says_what_was_expected_and_found(verify: Any, well: Evidence) -> None:  # noqa: F811
    code, said, wanted = verify(well, "--minutes", "2", "--seed", "7")

    assert (code, said["ok"], said["seed"]) == (0, True, 7)
    assert {"name", "expected", "got", "ok"} <= set(said["checks"][0])
    assert (wanted[0].minutes, wanted[0].seed) == (2.0, 7)


def test_a_broken_check_is_exit_status_1(verify: Any, well: Evidence) -> None:  # noqa: F811
    code, said, _ = verify(replace(well, effects=well.effects[1:]))

    assert (code, said["ok"]) == (1, False)
    (broken,) = [each for each in said["checks"] if not each["ok"]]
    assert (broken["name"], broken["violations"][0]["key"]) == ("lost", "a")


def test_a_run_that_came_to_no_end_says_nothing(verify: Any) -> None:
    code, said, _ = verify(NotInTime("beat does not begin"))

    assert code == 1 and "Nothing can be said: beat does not begin" in said["error"]["message"]


def test_it_says_which_program_it_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", lambda *_, **__: None)
    out = io.StringIO()
    with pytest.raises(SystemExit):
        call_command("celery_bridge", "verify", "--json", stdout=out, stderr=io.StringIO())
    assert "apt-get install redis-server" in json.loads(out.getvalue())["error"]["message"]
