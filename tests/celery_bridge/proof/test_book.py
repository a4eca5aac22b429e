"""The book keeps its word: each of its commands runs, in its order, while Celery, Redis and our workers are at work."""

from __future__ import annotations

import json

import pytest

from tests.celery_bridge.proof import book
from tests.conftest import require_program
from youtility_tasks.verify.bridge import run

MAY_SAY_NO = ("parity", "adopt", "doctor", "cancel", "check")
"""Commands whose exit status is an answer: not yet safe, something is left, something is to be looked at."""


@pytest.mark.timeout(300)
def test_every_command_of_the_book_runs_in_its_order(databases: tuple[str, str]) -> None:
    require_program("redis-server", package="redis-server")
    require_program("redis-cli", package="redis-tools")

    with run.launched(
        "tests.celery_bridge.proof.reading",
        run.Script(rate=6, company="tests.celery_bridge.proof.company.make"),
        *databases,
    ) as target:
        said = json.loads(target.read_text())

    wrong = [
        (line, code, words[-1500:])
        for line, code, words in said
        if code and not (code == 1 and any(f" {each}" in f" {line}" for each in MAY_SAY_NO))
    ]
    assert wrong == []
    text = book.BOOK.read_text(encoding="utf-8")
    assert len(said) == len(book.steps(text)) + len(book.table(text))
    assert [words for line, _, words in said if line.startswith("redis-cli")] == ["0", "0"], "Redis is empty at its end"
