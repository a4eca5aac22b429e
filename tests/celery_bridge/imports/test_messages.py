"""Whatever stands in a list of Redis is read or told, and never run."""

from __future__ import annotations

import base64
import json
import zlib
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from youtility_tasks.celery_bridge import messages

KOLKATA = timezone(timedelta(hours=5, minutes=30))


def message(body: Any = None, **changes: Any) -> bytes:
    """As Celery 5 writes it, protocol 2."""
    said = {"lang": "py", "task": "site.sweep", "id": "a-call", "retries": 0, **changes.pop("headers", {})}
    text = json.dumps(
        [[1], {}, {"callbacks": None, "chain": None, "chord": None, "errbacks": None}] if body is None else body
    )
    properties = {"body_encoding": "base64", "priority": 0, "delivery_info": {"exchange": "", "routing_key": "celery"}}
    outer = {
        "body": base64.b64encode(text.encode()).decode(), "content-type": "application/json", "content-encoding": "utf-8", "headers": said,
        "properties": properties, **changes,
    }  # fmt: skip
    return json.dumps(outer).encode()


@given(st.one_of(st.binary(max_size=60), st.recursive(st.none() | st.booleans() | st.integers() | st.text(max_size=5), st.lists, max_leaves=8).map(lambda v: json.dumps(v).encode())))  # fmt: skip
def test_what_is_no_message_is_told(raw: bytes) -> None:
    assert messages.read(raw).flaw


@given(st.dictionaries(st.sampled_from(["body", "content-type", "headers", "properties"]), st.one_of(st.none(), st.text(max_size=8), st.lists(st.integers(), max_size=2), st.dictionaries(st.sampled_from(["id", "task", "eta", "retries", "priority", "delivery_info", "body_encoding"]), st.one_of(st.none(), st.integers(), st.text(max_size=8)), max_size=4))))  # fmt: skip
def test_no_part_of_a_message_can_raise(changes: dict[str, Any]) -> None:
    read = messages.read(json.dumps({**json.loads(message()), **changes}).encode())

    assert read.flaw or read.task_name


def test_a_plain_one_is_read() -> None:
    eta = datetime(2026, 12, 1, 10, tzinfo=KOLKATA)

    read = messages.read(message(headers={"eta": eta.isoformat(), "retries": 2, "x-user": "7", "traceparent": "00-1"}))

    assert (read.flaw, read.args, read.eta, read.retries, read.lost) == ("", [1], eta, 2, ("traceparent", "x-user"))


def test_one_of_the_unacked_hash_is_read_and_goes_back_as_it_was() -> None:
    entry = json.dumps([json.loads(message()), "", "mail"]).encode()

    read = messages.read(entry)

    assert (read.flaw, read.delivery, read.queue) == ("", "\x00mail", "mail")
    assert json.loads(messages.unwrapped(entry)) == json.loads(message())


def test_an_instant_without_a_zone_is_utc_unless_the_message_says_otherwise() -> None:
    body = {"task": "site.sweep", "id": "old", "args": [], "kwargs": {}, "eta": "2026-12-01T10:00:00"}
    old = {"headers": {}, "content-type": "application/json", "body": json.dumps(body), "properties": {}}

    assert messages.read(json.dumps(old).encode(), KOLKATA).eta == datetime(2026, 12, 1, 10, tzinfo=UTC)
    old["body"] = json.dumps({**body, "utc": False})
    assert messages.read(json.dumps(old).encode(), KOLKATA).eta == datetime(2026, 12, 1, 10, tzinfo=KOLKATA)


@pytest.mark.parametrize(
    ("made", "words"),
    [
        (message(**{"content-type": "application/x-python-serialize"}), "pickle, which would run"),
        (message(**{"content-type": "application/x-yaml"}), "only JSON is read"),
        (message([[], {}, {"chain": [{"task": "x"}]}]), "a chain goes on"),
        (message([[], {}, {"chord": {"task": "x"}}]), "chord"),
        (message([[], {}, {"callbacks": [{}]}]), "a link follows it"),
        (message([[], {}, {"errbacks": [{}]}]), "link_error"),
        (message(headers={"id": ""}), "no id"),
        (message(headers={"id": "x" * 256}), "no id"),
        (message(headers={"compression": "application/x-bz2"}), "compressed by"),
        (message(["text", {}, {}]), "no list and object"),
        (message(headers={"eta": "tomorrow"}), "tomorrow"),
    ],
)  # fmt: skip
def test_what_could_not_run_as_it_is_meant_is_told(made: bytes, words: str) -> None:
    assert words in messages.read(made).flaw


def test_a_small_body_that_opens_into_a_huge_one_is_refused() -> None:
    bomb = base64.b64encode(zlib.compress(b'[["' + b"a" * 40_000_000 + b'"], {}, {}]')).decode()

    outer = {**json.loads(message(headers={"compression": "application/x-gzip"})), "body": bomb}
    assert "longer than" in messages.read(json.dumps(outer).encode()).flaw


def test_a_value_that_json_has_not_is_seen_however_deep() -> None:
    assert messages.read(message([[], {"deep": [{"__type__": "uuid", "__value__": "..."}]}, {}])).is_typed
    assert not messages.read(message()).is_typed
