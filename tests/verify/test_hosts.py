"""The tier `hosts`, in its short form: three hosts of workers, two of PostgreSQL, and a network that fails."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from tests.verify.story import Story
from youtility_tasks.verify import hosts, networks, tiers
from youtility_tasks.verify.entries import Kind


@pytest.fixture
def permitted() -> None:
    """Namespaces can be made here; root only, as what needs mounts or control groups."""
    try:
        with networks.hosts("a"):
            pass
    except networks.NotPermitted as error:
        pytest.skip(f"not permitted here: {error}")


@pytest.mark.timeout(180)
@pytest.mark.usefixtures("permitted")
def test_a_cut_off_host_a_dead_one_and_a_failover_lose_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    told: list[str] = []

    checks = tiers.hosts(23, told.append, seconds=10)

    assert [each.as_json() for each in checks if not each.ok] == [], "\n".join(told)
    assert len(checks) == 15


def test_without_root_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)

    (check,) = tiers.hosts(23, print)

    assert not check.ok
    assert "ip" in check.got or "root" in check.got


GOOD = {"stopped_s": 1.4, "claims_s": 0.8, "is_back": True, "standby": "sync"}


@pytest.mark.parametrize(
    ("seen", "broken"),
    [
        ({}, None),
        ({"stopped_s": 3.6}, "the cut-off host stops its children"),
        ({"outlived": [4711]}, "the cut-off host stops its children"),
        ({"is_back": False}, "it serves again"),
        ({"claims_s": 10.1}, "claims flow after the promotion"),
        ({"claims_s": None}, "claims flow after the promotion"),
        ({"on_the_old": ["1 sessions of workers"]}, "the old primary is left alone"),
        ({"standby": "async"}, "the old primary follows the new"),
    ],
    ids=str,
)
def test_what_only_hosts_can_show_is_judged(seen: dict[str, Any], broken: str | None) -> None:
    story = Story()
    for n in range(101):
        story.tell(Kind.ACK, key=f"instant-{n}", job_id=n)

    checks = hosts.checks(story.evidence(), hosts.Seen(**{**GOOD, **seen}), lease_s=1.5)

    assert [each.name for each in checks if not each.ok] == ([f"hosts: {broken}"] if broken else [])


def test_a_run_in_which_nothing_was_acknowledged_has_tested_nothing() -> None:
    checks = hosts.checks(Story().evidence(), hosts.Seen(**GOOD), lease_s=1.5)

    assert [each.name for each in checks if not each.ok] == ["hosts: jobs were acknowledged"]
