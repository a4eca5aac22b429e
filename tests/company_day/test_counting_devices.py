"""Mutations are counted by what became of them, whoever died meanwhile."""

from __future__ import annotations

import json
from types import SimpleNamespace

import pytest

from task_catalog.company_day.counting.devices import _mutations


def attempt(kind, number, status):
    payload = json.dumps({"mutation": f"m{number}", "serviceName": kind})
    succeeded = status != "failed"
    return SimpleNamespace(
        task_name="process_graphql_mutation_async",
        status="succeeded" if succeeded else "failed",
        args={"payload": payload if succeeded else "{}"},
        result={"status": status} if succeeded else None,
    )


@pytest.mark.parametrize(
    ("answers", "delivered"),
    [
        (["ok", "duplicate", "failed"], {"applied": 1, "duplicate": 1, "failed": 1, "all": 3}),
        # The first worker died after its transaction: its own second attempt knows the message already.
        (["duplicate", "duplicate"], {"applied": 1, "duplicate": 1, "failed": 0, "all": 2}),
        # What must never be: the message was applied twice.
        (["ok", "ok"], {"applied": 2, "duplicate": 0, "failed": 0, "all": 2}),
    ],
)
def test_a_message_counts_as_often_as_it_was_applied(answers, delivered):
    found = _mutations(SimpleNamespace(counted=[attempt("tickets", 1, status) for status in answers]))

    assert found["mutations delivered"] == delivered
    assert found["mutations applied"]["tickets"] == delivered["applied"]
