"""The pulse: what it costs, what it counts, and which tokens hold."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from django.conf import settings
from django.core import signing
from django.db import OperationalError, connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from youtility_tasks import members, tenant
from youtility_tasks.console import live, pulse

pytestmark = pytest.mark.django_db

ADDRESS = "/tasks/live/pulse/"


def token(browser: Client, path: str = "jobs/") -> str:
    found = re.search(r'name="token" value="([^"]+)"', browser.get(f"/tasks/{path}").content.decode())
    assert found is not None
    return found[1]


def said(browser: Client, token: str) -> str:
    return str(browser.get(ADDRESS, {"token": token, "page": "?queue=email"}).content.decode())


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Seconds by which time has passed for whoever signs and reads tokens."""
    real = signing.time.time
    passed = {"s": 0.0}
    monkeypatch.setattr(signing.time, "time", lambda: real() + passed["s"])
    yield passed


def test_it_costs_one_statement_and_counts_what_is_newer(
    visitor, work: dict[str, Any], acme: int, other_tenant: int, add_task
) -> None:
    browser = visitor("viewer")
    given, of_email = token(browser), token(browser, "jobs/?queue=email")
    assert said(browser, given) == ""
    with tenant(acme):
        for n in range(3):
            add_task.enqueue(number=n)
    with tenant(other_tenant):
        add_task.enqueue(number=1)

    with CaptureQueriesContext(connection) as captured:
        answer = said(browser, given)

    assert "3 new" in answer and 'href="?queue=email"' in answer
    assert len(captured.captured_queries) == 1
    assert said(browser, of_email) == ""


def test_it_is_no_transaction_where_every_request_is_one_and_a_database_that_is_away_is_no_page(
    visitor, acme: int, add_task, monkeypatch: pytest.MonkeyPatch
) -> None:
    browser = visitor("viewer")
    given = token(browser)
    monkeypatch.setitem(connection.settings_dict, "ATOMIC_REQUESTS", True)

    with CaptureQueriesContext(connection) as captured:
        said(browser, given)
    assert len(captured.captured_queries) == 1
    monkeypatch.setattr("youtility_tasks.newer.count", away)
    answer = browser.get(ADDRESS, {"token": given})

    assert (answer.status_code, answer.content) == (503, b"")


def away(*args: Any, **asked: Any) -> int:
    raise OperationalError("the server closed the connection unexpectedly")


def test_what_has_ended_meanwhile_is_new_too_and_a_crowd_is_not_counted(
    visitor, acme: int, add_task, monkeypatch
) -> None:
    from youtility_tasks.testing import run_jobs

    browser = visitor("viewer")
    given = token(browser)
    with tenant(acme):
        for n in range(4):
            add_task.enqueue(number=n)
        run_jobs()
        add_task.enqueue(number=9)

    assert "5 new" in said(browser, given)
    monkeypatch.setattr("youtility_tasks.newer.COUNTED_UP_TO", 3)
    assert "3+ new" in said(browser, given)


def test_a_token_holds_for_its_session_and_a_short_time_alone(visitor, acme: int, add_task, clock) -> None:
    mine, yours = visitor("viewer"), visitor("operator")
    given = token(mine)
    with tenant(acme):
        add_task.enqueue(number=1)
    assert "1 new" in said(mine, given)

    assert said(yours, given) == "" and said(Client(), given) == ""
    assert said(mine, given[:-1] + ("A" if given[-1] != "A" else "B")) == "" and said(mine, "") == ""
    assert mine.post(ADDRESS, {"token": given}).status_code == 204
    clock["s"] = live.LASTS_S + 1
    assert mine.get(ADDRESS, {"token": given}).status_code == 204


def test_who_has_no_role_any_more_is_given_no_other_token(visitor, person, acme: int, add_task, clock) -> None:
    browser = visitor("viewer")
    token(browser)
    members.revoke(acme, "viewer")

    answer = browser.get("/tasks/jobs/?part=rail&newest=0")

    assert answer.status_code == 403 and "token" not in answer.content.decode()


def test_a_page_that_is_open_for_long_is_told_no_more(visitor, acme: int, add_task) -> None:
    browser = visitor("viewer")
    old = pulse.now() - pulse.LONGEST_S - 5

    assert "token" not in browser.get(f"/tasks/jobs/?part=rail&newest=1&opened={old}").content.decode()
    assert "token" in browser.get(f"/tasks/jobs/?part=rail&newest=1&opened={old + 60}").content.decode()


def test_neither_the_session_nor_the_key_stands_in_a_token(visitor, acme: int) -> None:
    browser = visitor("viewer")
    key = browser.cookies[settings.SESSION_COOKIE_NAME].value

    assert key not in str(signing.loads(token(browser), salt=live._SALT))
