"""Messages between a worker and its children arrive whole and in order, however the stream is cut."""

from __future__ import annotations

import itertools
import json
import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from youtility_tasks.workers import wire

messages = st.lists(st.fixed_dictionaries({"n": st.integers(), "text": st.text()}), max_size=5)


def cut(data: bytes, sizes: list[int]) -> Iterator[bytes]:
    at = 0
    for size in itertools.cycle(sizes):
        if at >= len(data):
            return
        yield data[at : at + size]
        at += size


@given(sent=messages, sizes=st.lists(st.integers(1, 50), min_size=1, max_size=10))
def test_any_cut_of_the_stream_gives_the_same_messages(sent: list[dict[str, Any]], sizes: list[int]) -> None:
    stream = b"".join(wire.pack(message) for message in sent)
    inbox = wire.Inbox()

    got = [message for chunk in cut(stream, sizes) for message in inbox.feed(chunk)]

    assert got == [json.loads(json.dumps(message)) for message in sent]


@given(sent=messages, sizes=st.lists(st.integers(1, 50), min_size=1, max_size=10))
def test_a_message_is_given_with_its_last_byte_and_not_before(sent: list[dict[str, Any]], sizes: list[int]) -> None:
    inbox = wire.Inbox()

    for message in sent:
        packed = wire.pack(message)
        early = [m for chunk in cut(packed[:-1], sizes) for m in inbox.feed(chunk)]
        assert early == []
        assert len(inbox.feed(packed[-1:])) == 1


@pytest.fixture
def ends() -> Iterator[tuple[socket.socket, socket.socket]]:
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    with ours, theirs:
        yield ours, theirs


def test_nothing_has_arrived_is_not_the_end(ends: tuple[socket.socket, socket.socket]) -> None:
    ours, _ = ends

    assert wire.receive(ours, wire.Inbox()) == []


def test_the_end_is_told_apart(ends: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = ends
    theirs.close()

    assert wire.receive(ours, wire.Inbox()) is None


def test_a_message_larger_than_one_read_arrives(ends: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = ends
    large = {"result": "x" * 1_000_000}
    sender = threading.Thread(target=theirs.sendall, args=[wire.pack(large)])
    sender.start()
    ours.setblocking(True)
    inbox = wire.Inbox()

    got: list[dict[str, Any]] = []
    while not got:
        got = wire.receive(ours, inbox) or []
    sender.join()

    assert got == [large]
