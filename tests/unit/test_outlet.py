"""What is printed where nobody reads holds up nobody."""

from __future__ import annotations

import contextlib
import logging
import os
import socket
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

import pytest

from youtility_tasks.workers import outlet

LINE = "x" * 99 + "\n"
MORE_THAN_A_PIPE_HOLDS = 3_000


@contextlib.contextmanager
def printing_to(stream: TextIO, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(sys, "stdout", stream)
    with outlet.never_waiting():
        yield


@pytest.fixture(params=["pipe", "socket"])
def ends(request: pytest.FixtureRequest) -> Iterator[tuple[int, TextIO]]:
    """Where to read, and a stream to print to."""
    if request.param == "pipe":
        reading, writing = os.pipe()
    else:
        ours, theirs = socket.socketpair()
        ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 65536)
        reading, writing = theirs.detach(), ours.detach()
    stream = os.fdopen(writing, "w")
    yield reading, stream
    stream.close()
    os.close(reading)


def test_a_reader_who_does_not_read_is_waited_for_once_and_told_later_how_much_he_missed(
    ends: tuple[int, TextIO], monkeypatch: pytest.MonkeyPatch
) -> None:
    reading, stream = ends
    monkeypatch.setattr(outlet, "_PATIENCE_MS", 200)
    with printing_to(stream, monkeypatch):
        began = time.monotonic()
        for _ in range(MORE_THAN_A_PIPE_HOLDS):
            sys.stdout.write(LINE)
        assert 0.15 < time.monotonic() - began < 5

        os.set_blocking(reading, False)
        heard = len(all_of(reading))
        sys.stdout.write("again\n")

    missed = MORE_THAN_A_PIPE_HOLDS * len(LINE) - heard
    assert missed > 0
    assert all_of(reading) == f"\n[{missed} bytes dropped here, nobody read them]\nagain\n".encode()


def test_who_reads_gets_everything(ends: tuple[int, TextIO], monkeypatch: pytest.MonkeyPatch) -> None:
    reading, stream = ends
    os.set_blocking(reading, False)
    heard = b""
    with printing_to(stream, monkeypatch):
        for n in range(MORE_THAN_A_PIPE_HOLDS):
            sys.stdout.write(LINE)
            if n % 100 == 0:
                heard += all_of(reading)

    assert heard + all_of(reading) == LINE.encode() * MORE_THAN_A_PIPE_HOLDS


def test_the_shared_descriptor_stays_as_it_is_and_programs_get_that_one(
    ends: tuple[int, TextIO], monkeypatch: pytest.MonkeyPatch
) -> None:
    _, stream = ends
    with printing_to(stream, monkeypatch):
        assert sys.stdout.fileno() == stream.fileno()
        assert os.get_blocking(stream.fileno())
    assert sys.stdout is stream


def test_log_lines_go_the_same_way(ends: tuple[int, TextIO], monkeypatch: pytest.MonkeyPatch) -> None:
    _, stream = ends
    handler = logging.StreamHandler(stream)
    monkeypatch.setattr(logging.getLogger(), "handlers", [handler])
    with printing_to(stream, monkeypatch):
        assert handler.stream is sys.stdout
    assert handler.stream is stream


def test_a_file_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with (tmp_path / "log").open("w") as file, printing_to(file, monkeypatch):
        assert sys.stdout is file


@pytest.mark.parametrize("stream", [None, "closed"])
def test_without_a_stream_nothing_happens(stream: str | None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    given = None
    if stream is not None:
        given = (tmp_path / "log").open("w")
        given.close()
    monkeypatch.setattr(sys, "stdout", given)
    with outlet.never_waiting():
        assert sys.stdout is given


def all_of(reading: int) -> bytes:
    heard = b""
    with contextlib.suppress(BlockingIOError):
        while chunk := os.read(reading, 65536):
            heard += chunk
    return heard
