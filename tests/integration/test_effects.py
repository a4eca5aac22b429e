"""What must happen once happens once, within its tenant, whatever crashes in between."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.db import DatabaseError, connection, transaction
from django.test.utils import CaptureQueriesContext

from tests.integration.desk import execute
from tests.integration.mutants import Undone, undone
from youtility_tasks import NotReady, effects, errors, queries, running, tenant
from youtility_tasks.models import TaskEffect
from youtility_tasks.tenants import no_tenant

pytestmark = pytest.mark.usefixtures("committed")


@pytest.fixture(autouse=True)
def in_acme() -> Iterator[None]:
    """Everything here is Acme's, tenant 7, unless it says otherwise."""
    with tenant(7):
        yield


@contextmanager
def in_job(job_id: int) -> Iterator[None]:
    token = running.current.set(running.Running(job_id, "mail"))
    try:
        yield
    finally:
        running.current.reset(token)


class Outbox:
    """An outside world that remembers."""

    def __init__(self) -> None:
        self.sent: list[str] = []

    def send(self, message_id: str) -> None:
        self.sent.append(message_id)

    def refuse(self, message_id: str) -> None:
        raise ConnectionError("no")

    def send_and_die(self, message_id: str) -> None:
        """As `kill -9` between doing and marking: nothing after the call is carried out."""
        self.sent.append(message_id)
        raise Died

    def __len__(self) -> int:
        return len(self.sent)


class Died(BaseException):
    pass


@pytest.fixture
def outbox() -> Outbox:
    return Outbox()


def die_while_sending(key: str, outbox: Outbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a killed process leaves behind: the reservation, and nothing of what would have come after it."""
    with monkeypatch.context() as dead:
        dead.setattr(queries, "run", lambda *args: 0)
        with pytest.raises(Died):
            effects.perform(key, outbox.send_and_die)


def the_lease_lapses() -> None:
    execute("UPDATE youtility_tasks_taskeffect SET lease_until = clock_timestamp() - interval '1 second'")


def row(key: str) -> TaskEffect:
    return TaskEffect.objects.get(key=key, tenant_id=7)


# -- in the database


def test_once_is_true_once() -> None:
    assert effects.once("k") is True
    assert effects.once("k") is False
    assert effects.is_done("k")


def test_an_effect_that_was_rolled_back_has_not_happened() -> None:
    with undone():
        assert effects.once("k")

    assert not effects.is_done("k")
    assert effects.once("k")


def test_of_many_keys_the_new_ones_are_told_by_one_statement() -> None:
    effects.once("b")

    with CaptureQueriesContext(connection) as sent:
        assert effects.once_many(["a", "b", "c", "a"]) == {"a", "c"}

    assert len(sent) == 1
    assert effects.once_many([]) == set()
    assert effects.once_many(["c", "d"]) == {"d"}


def test_two_tenants_have_their_own_keys() -> None:
    effects.once("k")

    with tenant(8):
        assert not effects.is_done("k")
        assert effects.once("k")
        assert effects.promise("p", payload={})
        assert effects.forget(["k"]) == 1
        assert effects.message_id("k") != ""
    assert effects.is_done("k")
    assert effects.promise("p", payload={})


def test_an_effect_remembers_its_job_task_and_site() -> None:
    with in_job(33):
        effects.once("k", bu_id=5)

    assert (row("k").job_id, row("k").task_name, row("k").bu_id, row("k").status) == (33, "mail", 5, "done")


def test_a_forgotten_key_may_happen_again_and_only_with_its_transaction() -> None:
    effects.once_many(["a", "b"])

    with pytest.raises(Undone), transaction.atomic():
        assert effects.forget(["a"]) == 1
        raise Undone
    assert effects.is_done("a")

    assert effects.forget(["a", "unknown"]) == 1
    assert effects.once("a")
    assert not effects.once("b")


def test_what_an_effect_answered_is_kept_with_it_and_only_for_its_tenant() -> None:
    with pytest.raises(Undone), transaction.atomic():
        effects.once("k")
        effects.keep_answer("k", {"a": 1})
        raise Undone
    assert effects.answer("k") == {}

    effects.once("k")
    assert effects.answer("k") == {}
    effects.keep_answer("k", {"a": [1, None]})

    assert effects.answer("k") == {"a": [1, None]}
    with tenant(8):
        assert effects.answer("k") == {}


# -- outside


def test_rows_that_say_so_too_are_written_with_the_mark(outbox: Outbox) -> None:
    def then() -> None:
        assert row("k").status == "done"
        assert effects.once("noted")

    assert effects.perform("k", outbox.send, then=then) is True
    assert effects.is_done("noted")
    assert effects.perform("k", outbox.send, then=lambda: pytest.fail("done before")) is False


def test_a_mark_whose_rows_cannot_be_written_is_not_made(outbox: Outbox) -> None:
    def then() -> None:
        raise Undone

    with pytest.raises(Undone):
        effects.perform("k", outbox.send, then=then)

    assert row("k").status == "reserved"


def test_an_outside_effect_is_done_and_then_known(outbox: Outbox) -> None:
    assert effects.perform("k", outbox.send) is True
    assert effects.perform("k", outbox.send) is False

    assert outbox.sent == [effects.message_id("k")]
    assert effects.is_done("k")


def test_an_outside_effect_is_refused_inside_a_transaction(outbox: Outbox) -> None:
    with (
        transaction.atomic(),
        pytest.raises(errors.EffectInTransaction, match=r"perform\('k'\) inside a transaction.*effects\.promise\(\)"),
    ):
        effects.perform("k", outbox.send)

    assert len(outbox) == 0
    assert not TaskEffect.objects.exists()


def test_an_outside_effect_that_fails_is_pending_and_its_error_goes_on(outbox: Outbox) -> None:
    with pytest.raises(ConnectionError):
        effects.perform("k", outbox.refuse)

    assert (row("k").status, row("k").lease_until) == ("pending", None)
    assert effects.perform("k", outbox.send)
    assert len(outbox) == 1


def test_what_is_done_of_an_effect_is_kept_until_the_rest_is_done(outbox: Outbox) -> None:
    seen: list[str] = []

    def do(message_id: str, *, noted: str, fails: bool) -> None:
        part = effects.part()
        assert part is not None
        seen.append(part.done)
        part.done = noted
        if fails:
            raise ConnectionError

    for noted in ("a", "a b"):
        with pytest.raises(ConnectionError):
            effects.perform("k", functools.partial(do, noted=noted, fails=True))
    assert (row("k").status, row("k").note) == ("pending", "a b")
    assert effects.perform("k", functools.partial(do, noted="a b c", fails=False))

    assert seen == ["", "a", "a b"]
    assert (row("k").status, row("k").note, effects.part()) == ("done", "", None)


def test_an_effect_that_was_done_in_the_database_is_not_done_outside(outbox: Outbox) -> None:
    effects.once("k")

    assert effects.perform("k", outbox.send) is False
    assert len(outbox) == 0


def test_while_it_is_being_done_nobody_else_does_it(outbox: Outbox) -> None:
    def meanwhile(message_id: str) -> None:
        with in_job(2), pytest.raises(NotReady, match=r"'k' is being done by another job.*120 s"):
            effects.perform("k", outbox.send)
        outbox.send(message_id)

    with in_job(1):
        assert effects.perform("k", meanwhile)

    assert len(outbox) == 1


# -- a crash between doing and marking


def takeover_by_the_same_job(outbox: Outbox, monkeypatch: pytest.MonkeyPatch) -> None:
    with in_job(1):
        die_while_sending("k", outbox, monkeypatch)
        assert row("k").status == "reserved"
        assert effects.perform("k", outbox.send) is True
    assert outbox.sent == [effects.message_id("k")] * 2
    assert effects.is_done("k")


def another_job_has_to_wait(outbox: Outbox, monkeypatch: pytest.MonkeyPatch) -> None:
    with in_job(1):
        die_while_sending("k", outbox, monkeypatch)
    with in_job(2), pytest.raises(NotReady):
        effects.perform("k", outbox.send)
    assert len(outbox) == 1


def another_job_may_after_the_lease(outbox: Outbox, monkeypatch: pytest.MonkeyPatch) -> None:
    with in_job(1):
        die_while_sending("k", outbox, monkeypatch)
    the_lease_lapses()
    with in_job(2):
        assert effects.perform("k", outbox.send) is True
    assert outbox.sent == [effects.message_id("k")] * 2


def done_is_done_for_ever(outbox: Outbox, monkeypatch: pytest.MonkeyPatch) -> None:
    effects.perform("k", outbox.send)
    with in_job(2):
        assert effects.perform("k", outbox.send) is False
    assert len(outbox) == 1


RESERVE = "effect_reserve"


@pytest.mark.parametrize(
    ("check", "guard", "instead"),
    [
        (takeover_by_the_same_job, "OR e.job_id = excluded.job_id", ""),
        (another_job_has_to_wait, "e.lease_until < clock_timestamp() OR e.job_id = excluded.job_id", "true"),
        (another_job_may_after_the_lease, "e.lease_until < clock_timestamp() OR", ""),
        (done_is_done_for_ever, "WHERE e.status = 'pending'", "WHERE e.status <> 'reserved'"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_a_reservation_is_taken_over_only_by_those_who_may(
    check: Any, guard: str, instead: str, outbox: Outbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    check(outbox, monkeypatch)

    TaskEffect.objects.all().delete()
    statement = queries.statement
    mutant = statement(RESERVE).replace(guard, instead)
    assert mutant != statement(RESERVE)
    monkeypatch.setattr(queries, "statement", lambda name: mutant if name == RESERVE else statement(name))
    with pytest.raises((AssertionError, pytest.fail.Exception, NotReady, DatabaseError)):
        check(Outbox(), monkeypatch)


def test_a_job_that_comes_back_too_late_settles_nothing(outbox: Outbox) -> None:
    """It was frozen while it sent; its lease lapsed and another job took over, and failed."""

    def freeze(message_id: str) -> None:
        the_lease_lapses()
        with in_job(2), pytest.raises(ConnectionError):
            effects.perform("k", outbox.refuse)
        with in_job(3), pytest.raises(Undone):
            effects.perform("k", thaw)

    def thaw(message_id: str) -> None:
        raise Undone

    with in_job(1):
        effects.perform("k", freeze)

    assert not effects.is_done("k"), "only the holder of the reservation may mark it"


def test_the_id_is_a_function_of_tenant_and_key_alone() -> None:
    mine = effects.message_id("k")

    assert mine == effects.message_id("k") != effects.message_id("l")
    with tenant(8):
        assert effects.message_id("k") != mine
    assert mine.startswith("<") and mine.endswith("@youtility-tasks>")
    assert len(mine) < 100 and mine.isascii()


# -- the outbox


def test_a_promise_is_kept_with_its_transaction_only() -> None:
    with undone():
        assert effects.promise("k", payload={"to": "a"})

    assert effects.pending("") == []
    assert effects.promise("k", payload={"to": "b"}) is True
    assert effects.promise("k", payload={"to": "c"}) is False
    assert [(each.key, each.payload) for each in effects.pending("")] == [("k", {"to": "b"})]


def test_pending_tells_what_is_promised_oldest_first_with_its_id() -> None:
    for key in ("mail:2", "mail:1", "notice:1"):
        effects.promise(key, payload={"key": key}, bu_id=4)

    found = effects.pending("mail:")

    assert [each.key for each in found] == ["mail:2", "mail:1"]
    assert [each.message_id for each in found] == [effects.message_id("mail:2"), effects.message_id("mail:1")]
    assert [each.bu_id for each in found] == [4, 4]
    assert len(effects.pending("", limit=2)) == 2


@pytest.mark.parametrize("prefix", ["%", "_", "mail%", "m_il", "\\"])
def test_a_prefix_is_taken_literally(prefix: str) -> None:
    effects.promise("mail:1", payload={})

    assert effects.pending(prefix) == []


def test_pending_shows_a_tenant_its_own() -> None:
    effects.promise("k", payload={})

    with tenant(8):
        assert effects.pending("") == []


def test_what_is_done_or_being_done_is_not_pending(outbox: Outbox, monkeypatch: pytest.MonkeyPatch) -> None:
    for key in ("done", "skipped", "reserved"):
        effects.promise(key, payload={"n": 1})
    effects.perform("done", outbox.send)
    effects.skip("skipped", "not wanted")
    with in_job(1):
        die_while_sending("reserved", outbox, monkeypatch)

    assert effects.pending("") == []
    with in_job(1):
        assert [each.key for each in effects.pending("")] == ["reserved"], (
            "it is this job's own, from an earlier attempt"
        )
    the_lease_lapses()
    assert [(each.key, each.payload) for each in effects.pending("")] == [("reserved", {"n": 1})]


def test_a_promise_is_performed_once_with_the_payload_it_was_made_with(outbox: Outbox) -> None:
    effects.promise("k", payload={"to": "promised"})

    assert effects.perform("k", outbox.send, payload={"to": "another"})
    assert not effects.perform("k", outbox.send)

    assert row("k").payload == {"to": "promised"}
    assert len(outbox) == 1


def test_skipping_says_why_and_happens_once(outbox: Outbox) -> None:
    effects.skip("k", "nobody to send to")
    effects.skip("k", "another reason")

    assert (row("k").status, row("k").note) == ("done", "nobody to send to")
    assert effects.perform("k", outbox.send) is False


def test_without_a_tenant_an_effect_belongs_to_none(outbox: Outbox) -> None:
    with no_tenant():
        assert effects.perform("k", outbox.send)

    assert not effects.is_done("k")
    assert TaskEffect.objects.get().tenant_id == 0


@pytest.mark.parametrize("payload", [{"n": float("nan")}, {"n": "a\0b"}, {"n": "\ud800"}, {"n": {1}}], ids=repr)
def test_a_payload_that_cannot_be_stored_is_refused_and_the_transaction_goes_on(payload: dict[str, Any]) -> None:
    with transaction.atomic():
        with pytest.raises(errors.NotJson, match=r"'k'"):
            effects.promise("k", payload=payload)
        assert effects.once("other")

    assert effects.is_done("other")
    assert effects.pending("") == []


@pytest.mark.parametrize("key", ["", "a\0b", "\ud800", "x" * 1_001, 7], ids=lambda key: repr(key)[:12])
def test_a_key_that_cannot_be_stored_is_refused_and_the_transaction_goes_on(key: Any, outbox: Outbox) -> None:
    with transaction.atomic():
        for refused in (
            lambda: effects.once(key),
            lambda: effects.once_many(["a", key]),
            lambda: effects.promise(key, payload={}),
            lambda: effects.skip(key, ""),
        ):
            with pytest.raises(errors.NotJson, match="an effect's key is text of 1 to 1000 characters"):
                refused()
        assert effects.once("other")
    with pytest.raises(errors.NotJson):
        effects.perform(key, outbox.send)
    assert len(outbox) == 0


def test_unfinished_are_those_that_wait_and_those_that_are_being_done_now(outbox: Outbox) -> None:
    for key in ("mail:1", "mail:2", "mail:3", "other:1"):
        effects.promise(key, payload={"key": key})
    effects.perform("mail:1", outbox.send)

    def look(message_id: str) -> None:
        assert [each.key for each in effects.unfinished("mail:")] == ["mail:2", "mail:3"]
        with in_job(2):
            assert [each.key for each in effects.pending("mail:")] == ["mail:3"]

    with in_job(1):
        effects.perform("mail:2", look)
    with tenant(8):
        effects.promise("mail:9", payload={})
    assert [(each.key, each.payload) for each in effects.unfinished("mail:")] == [("mail:3", {"key": "mail:3"})]


def test_what_was_promised_is_known_before_and_after_it_is_done(outbox: Outbox) -> None:
    effects.promise("k", payload={"n": 1})
    effects.once("bare")
    assert effects.payload_of("k") == {"n": 1}

    effects.perform("k", outbox.send)

    assert (effects.payload_of("k"), effects.payload_of("bare"), effects.payload_of("unknown")) == ({"n": 1}, {}, None)
    with tenant(8):
        assert effects.payload_of("k") is None


def test_which_of_many_are_done_is_one_question(outbox: Outbox) -> None:
    effects.once_many(["a", "b"])
    effects.promise("c", payload={})

    with CaptureQueriesContext(connection) as asked:
        assert effects.done_among(["a", "b", "c", "d"]) == {"a", "b"}

    assert len(asked) == 1
    with tenant(8):
        assert effects.done_among(["a"]) == set()
