"""What a worker rejects is heard by the run that it belongs to."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from youtility_tasks.finish import Decision, Verdict
from youtility_tasks.status import Outcome
from youtility_tasks.verify import apps, ledger
from youtility_tasks.workers.children import Job
from youtility_tasks.workers.ended import Ended
from youtility_tasks.workers.holdings import Holdings


def test_a_rejected_ending_is_an_entry_of_the_ledger(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[int] = []
    monkeypatch.setattr(ledger.Ledger, "write", lambda self, kind, job_id: written.append(job_id))
    monkeypatch.setenv(ledger.ADDRESS, "nowhere")
    monkeypatch.setenv(ledger.FOLDER, str(tmp_path))
    monkeypatch.setattr(logging.getLogger(apps.WORKERS), "handlers", [])
    apps.VerifyConfig("youtility_tasks.verify", apps).ready()
    holdings = Holdings()
    holdings.take(Job(5, 1, "t", "{}", 1, 0, 7, None))
    holdings.end(5, Ended({"id": 5}, Decision(Verdict.SUCCEEDED, Outcome.SUCCEEDED)))

    holdings.drop(5)

    assert written == [5]
