"""What an attempt prints is kept, and a log that nobody reads holds nobody up."""

from __future__ import annotations

import contextlib
import io
import logging
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from youtility_tasks.workers import output, quiet_log


@contextlib.contextmanager
def like_a_child() -> Iterator[io.StringIO]:
    """Inside the block this process keeps what it prints; where it prints."""
    real = io.StringIO()
    root = logging.getLogger()
    before = root.handlers[:]
    with contextlib.redirect_stdout(real), contextlib.redirect_stderr(real):
        output.install()
        try:
            yield real
        finally:
            root.handlers[:] = before
            output._tees.clear()


def test_prints_and_log_lines_are_kept_and_go_on_their_way() -> None:
    with like_a_child() as heard:
        with output.kept() as said:
            sys.stdout.write("one\n")
            logging.getLogger("app").warning("two %s", 2)
            sys.stderr.writelines(["three\n"])
        sys.stdout.write("outside\n")

    assert said.text() == "one\nWARNING app two 2\nthree\n"
    assert "one\n" in heard.getvalue() and "outside\n" in heard.getvalue()


def two_print_side_by_side() -> None:
    words, meeting = ("Ackerschnepfe", "Kanarienvogel"), threading.Barrier(2, timeout=10)
    kept: dict[str, str] = {}

    def attempt(word: str) -> None:
        with output.kept() as said:
            for _ in range(5):
                meeting.wait()
                sys.stdout.write(word)
                logging.getLogger("app").warning(word)
                meeting.wait()
        kept[word] = said.text()

    with like_a_child():
        threads = [threading.Thread(target=attempt, args=[word]) for word in words]
        for each in threads:
            each.start()
        for each in threads:
            each.join()
    for own, other in (words, words[::-1]):
        assert kept[own].count(own) == 10 and other not in kept[own]


def test_what_two_tenants_print_side_by_side_in_one_child_is_kept_apart() -> None:
    two_print_side_by_side()


def test_what_is_kept_for_the_process_would_be_mixed_up(monkeypatch: pytest.MonkeyPatch) -> None:
    class OfTheProcess:
        value: Any = None

        def get(self) -> Any:
            return self.value

        def set(self, value: Any) -> Any:
            self.value, was = value, self.value
            return was

        def reset(self, was: Any) -> None:
            self.value = was

    monkeypatch.setattr(output, "_current", OfTheProcess())
    with pytest.raises(AssertionError):
        two_print_side_by_side()


def no_stdout() -> None:
    sys.stdout = None  # type: ignore[assignment]


def another_stdout() -> None:
    sys.stdout = io.StringIO()


SPOILERS: dict[str, Callable[[], None]] = {
    "closed": lambda: (sys.stdout.close(), sys.stderr.close()),  # type: ignore[func-returns-value, return-value]
    "gone": no_stdout,
    "another": another_stdout,
    "a log of its own": lambda: logging.basicConfig(force=True, handlers=[logging.NullHandler()]),
}


@pytest.mark.parametrize("spoil", SPOILERS.values(), ids=SPOILERS)
def test_what_a_task_did_to_the_streams_is_undone_for_the_next_one(spoil: Callable[[], None]) -> None:
    with like_a_child() as heard:
        with output.kept():
            spoil()
        with output.kept() as said:
            sys.stdout.write("one\n")
            logging.getLogger("app").warning("two")
            sys.stderr.write("three\n")

    assert said.text() == "one\nWARNING app two\nthree\n"
    assert "one\n" in heard.getvalue()


def test_a_stream_that_a_running_task_has_put_there_stays() -> None:
    with like_a_child(), output.kept():
        with contextlib.redirect_stdout(io.StringIO()) as redirected, output.kept():
            sys.stdout.write("one")
        sys.stdout = None  # type: ignore[assignment]
        with output.kept() as said:
            sys.stdout.write("two")

    assert redirected.getvalue() == "one"
    assert said.text() == "two"


@pytest.mark.parametrize("stream", [None, io.StringIO()], ids=["none", "closed"])
def test_a_job_does_not_fail_because_nobody_takes_what_it_prints(stream: io.StringIO | None) -> None:
    if stream is not None:
        stream.close()
    with like_a_child(), contextlib.redirect_stdout(stream):
        output.install()
        with output.kept() as said:
            sys.stdout.write("one")
            sys.stdout.flush()

    assert said.text() == "one"


def test_bytes_are_an_error_of_the_task_and_spoil_nothing() -> None:
    with like_a_child(), output.kept() as said:
        sys.stdout.write("one")
        with pytest.raises(TypeError, match="must be str, not bytes"):
            sys.stdout.write(b"two")  # type: ignore[arg-type]

    assert said.text() == "one"


def test_two_threads_do_not_hear_each_other() -> None:
    both = threading.Barrier(2)
    kept: dict[str, str] = {}

    def speak(word: str) -> None:
        with output.kept() as said:
            both.wait(10)
            sys.stdout.write(word)
            both.wait(10)
        kept[word] = said.text()

    threads = [threading.Thread(target=speak, args=(word,)) for word in ("left", "right")]
    with like_a_child():
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(10)

    assert kept == {"left": "left", "right": "right"}


@pytest.mark.parametrize("piece", [1, 7, 10, 25])
def test_only_the_end_is_kept(piece: int) -> None:
    text = "".join(chr(ord("a") + n % 26) for n in range(100))
    tail = output.Tail(limit=10)

    for start in range(0, len(text), piece):
        tail.add(text[start : start + piece])

    assert tail.text() == text[-10:]
    assert len(tail._pieces) <= 11


class StuckHandler(logging.Handler):
    """A terminal that stopped reading."""

    def __init__(self) -> None:
        super().__init__()
        self.go_on = threading.Event()
        self.written: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.go_on.wait(30)
        self.written.append(record.getMessage())


def test_a_log_that_nobody_reads_holds_nobody_up_and_says_what_it_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quiet_log, "_LONGEST_QUEUE", 5)
    stuck = StuckHandler()
    root = logging.getLogger()
    monkeypatch.setattr(root, "handlers", [stuck])

    with quiet_log.never_blocking():
        for number in range(20):
            logging.getLogger("youtility_tasks.test").warning("line %s", number)
        assert stuck.written == []
        stuck.go_on.set()

    assert root.handlers == [stuck]
    assert stuck.written[0] == "line 0"
    assert any(line.startswith("log lines dropped") for line in stuck.written)
