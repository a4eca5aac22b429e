"""The token that says for whom a transaction is: signed here, verified in the database."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest
from django.db import ProgrammingError, transaction
from django.test import override_settings

from tests.integration.desk import execute, rows
from tests.integration.mutants import must_catch
from youtility_tasks.tenancy import token

pytestmark = pytest.mark.django_db

SECRET = "a secret of the tests that is long enough"


@pytest.fixture(autouse=True)
def installed() -> token.Key:
    """A key that the database knows."""
    return install(token.derive(SECRET))


def install(key: token.Key) -> token.Key:
    execute(
        "INSERT INTO youtility_tasks_keys (id, inner_pad, outer_pad) VALUES (%s, %s, %s) ON CONFLICT DO NOTHING",
        key.id,
        key.inner_pad(),
        key.outer_pad(),
    )
    return key


def minted(tenant_id: int = 7, *, life_s: float = 60, secret: str = SECRET) -> str:
    return token.mint(tenant_id, life_s=life_s, by=token.derive(secret))


def verified(text: str | None) -> Any:
    """What the database makes of a token in a transaction of its own."""
    with transaction.atomic():
        execute("SELECT set_config('youtility_tasks.token', %s, true)", text)
        return rows("SELECT youtility_tasks_tenant_v1()")[0][0]


def refused(text: str, why: str) -> None:
    try:
        with transaction.atomic():
            found = verified(text)
    except ProgrammingError as refusal:
        assert why in str(refusal)
        assert getattr(refusal.__cause__, "sqlstate", None) == "42501"
        assert text not in str(refusal), "an error's text ends in logs and pages"
        return
    raise AssertionError(f"the database took it for {found!r}")


@pytest.mark.parametrize("tenant_id", [0, 1, 7, 2**31 - 1])
def test_a_signed_token_names_its_tenant(tenant_id: int) -> None:
    assert verified(minted(tenant_id)) == tenant_id


def test_without_a_token_there_is_no_tenant() -> None:
    assert rows("SELECT youtility_tasks_tenant_v1()") == [(None,)]
    assert verified("") is None


def check_that_a_foreign_signature_is_refused() -> None:
    refused(minted(secret="another secret that is just as long"), "not signed with a key")
    stranger = token.derive("another secret that is just as long")
    by_a_known_name = token.mint(7, life_s=60, by=token.Key(token.derive(SECRET).id, stranger.secret))
    refused(by_a_known_name, "not signed with a key")


def test_a_foreign_signature_is_refused() -> None:
    check_that_a_foreign_signature_is_refused()


def altered(position: int, change: Callable[[str], str]) -> str:
    parts = minted().split(".")
    parts[position] = change(parts[position])
    return ".".join(parts)


@pytest.mark.parametrize(
    "text",
    [
        lambda: altered(2, lambda _: "8"),
        lambda: altered(2, lambda _: "07"),
        lambda: altered(3, lambda said: str(int(said) + 1)),
        lambda: altered(0, lambda _: "v2"),
        lambda: altered(4, lambda said: said[:-1]),
        lambda: altered(4, lambda said: said.upper()),
        lambda: altered(4, lambda said: said + "00"),
        lambda: minted() + ".",
        lambda: minted() + " ",
        lambda: minted().rpartition(".")[0],
        lambda: "7",
        lambda: "....",
        lambda: "v1....",
        lambda: "x" * 100_000,
        lambda: "v1." + token.derive(SECRET).id + ".7.99999999999.",
    ],
)
def test_no_part_of_a_token_can_be_changed(text: Callable[[], str]) -> None:
    refused(text(), "not signed with a key")


def check_that_it_ends() -> None:
    refused(minted(life_s=-2), "has expired")


def test_a_token_ends() -> None:
    check_that_it_ends()


@pytest.mark.parametrize(
    ("check", "guard", "instead"),
    [
        (check_that_a_foreign_signature_is_refused, "said[5] = signature", "true"),
        (check_that_it_ends, "said[4]::bigint < extract(epoch FROM clock_timestamp())", "false"),
    ],
)
def test_without_its_checks_the_function_believes_anybody(check: Callable[[], None], guard: str, instead: str) -> None:
    must_catch(check, "youtility_tasks_tenant_v1", guard, instead)


def test_two_keys_hold_at_once_so_that_one_can_follow_the_other() -> None:
    install(token.derive("the one that comes next, also long"))

    assert verified(minted(7)) == 7
    assert verified(minted(8, secret="the one that comes next, also long")) == 8

    execute("DELETE FROM youtility_tasks_keys WHERE id = %s", token.derive(SECRET).id)
    refused(minted(7), "not signed with a key")


def test_it_is_verified_once_a_statement_however_many_rows() -> None:
    (plan,) = rows(
        "EXPLAIN (FORMAT JSON, COSTS OFF, VERBOSE) SELECT n FROM generate_series(1, 9) n WHERE n = (SELECT youtility_tasks_tenant_v1())"
    )
    assert "InitPlan" in str(plan), plan


def check_that_a_job_is_stamped_by_the_token() -> None:
    deferred = "SELECT procrastinate_defer_jobs_v1(ARRAY[ROW('email', 't', 0, NULL, NULL, '{}', NULL)::procrastinate_job_to_defer_v1])"
    with transaction.atomic():
        execute("SELECT set_config('youtility_tasks.token', %s, true)", minted(7))
        execute("SELECT set_config('youtility_tasks.tenant', '8', true)")  # unsigned: it counts for nothing
        ((ids,),) = rows(deferred)
    assert rows("SELECT tenant_id FROM procrastinate_jobs WHERE id = ANY (%s)", ids) == [(7,)]


def test_a_job_of_procrastinates_own_is_stamped_by_the_token() -> None:
    check_that_a_job_is_stamped_by_the_token()

    execute(
        "ALTER TABLE procrastinate_jobs ALTER COLUMN tenant_id"
        " SET DEFAULT coalesce(nullif(current_setting('youtility_tasks.tenant', true), '')::integer, 0)"
    )
    with pytest.raises(AssertionError):
        check_that_a_job_is_stamped_by_the_token()


def test_the_same_token_is_sent_until_half_its_life_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    with override_settings(YOUTILITY_TASKS={"tenant_key": SECRET, "token_s": 60}):
        first = token.current(7)
        assert token.current(7) is first
        assert token.current(8).text != first.text
        with token.living(600):
            assert token.current(7).fresh_until > first.fresh_until + 200

        later = time.monotonic() + 31
        monkeypatch.setattr(token.time, "monotonic", lambda: later)
        assert token.current(7) is not first


def test_neither_a_key_nor_a_token_shows_itself() -> None:
    with override_settings(YOUTILITY_TASKS={"tenant_key": SECRET}):
        sent = token.current(7)
        assert sent.text not in repr(sent)
        assert token.key().secret.hex() not in repr(token.key()) and str(token.key().secret) not in repr(token.key())
