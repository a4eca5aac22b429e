"""Whatever an attempt says, the values of its marked arguments are not in it."""

from __future__ import annotations

import html
import json
import logging
import urllib.parse
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.acceptance.app import mutants
from youtility_tasks import BadInput, NotReady, Transient, errors
from youtility_tasks.secrets import scrubbing
from youtility_tasks.secrets.marks import Mark
from youtility_tasks.secrets.scrubbing import Scrubber
from youtility_tasks.workers import output, run


def knowing(*values: Any, mark: Mark = Mark.SECRET) -> Scrubber:
    scrubber = Scrubber()
    for value in values:
        scrubber.learn(value, mark)
    return scrubber


WRITTEN: list[Callable[[str], str]] = [
    str, repr, ascii, json.dumps, urllib.parse.quote, urllib.parse.quote_plus, html.escape,
    lambda value: urllib.parse.quote(value, safe=""),
    lambda value: json.dumps(value, ensure_ascii=False),
    lambda value: repr(value.encode()),
    lambda value: repr({"a": [value]}),
]  # fmt: skip


@given(
    st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=4, max_size=30), st.sampled_from(WRITTEN)
)
def test_a_value_is_taken_out_however_it_is_written(value: str, write: Callable[[str], str]) -> None:
    said = knowing(value).text(f"before {write(value)} after")

    assert "[secret]" in said
    assert said.startswith("before ") and said.endswith(" after")


def test_what_is_inside_a_value_is_taken_out_and_names_of_fields_stay() -> None:
    scrubber = knowing({"user": "alice", "codes": ["4711", 12345, 99.125, True, None]}, mark=Mark.PII)

    assert (
        scrubber.text("user alice codes 4711 12345 99.125 True None") == "user [pii] codes [pii] [pii] [pii] True None"
    )
    assert scrubber.json({"user": "alice", "n": 12345, "m": 12346, "alice": True, "t": ("4711",)}) == {
        "user": "[pii]", "n": "[pii]", "m": 12346, "[pii]": True, "t": ["[pii]"],
    }  # fmt: skip


def test_a_number_is_not_looked_for_inside_another_one() -> None:
    assert knowing(12345).text("12345 123456 0.12345 a12345b") == "[secret] 123456 0.12345 a[secret]b"


def test_each_line_of_a_long_value_is_taken_out_by_itself() -> None:
    scrubber = knowing("-----BEGIN KEY-----\nMIIEpAIBAAKCAQEA\nshort\n")

    assert scrubber.text("read MIIEpAIBAAKCAQEA, short") == "read [secret], short"


def test_a_value_of_three_characters_is_not_looked_for() -> None:
    assert knowing("abc", 123).text("abc 123") == "abc 123"


def test_a_longer_value_goes_before_a_shorter_one_in_it() -> None:
    assert knowing("pass", "password1").text("password1 pass") == "[secret] [secret]"


# -- the kept output


def test_a_value_that_the_limit_of_the_output_cuts_is_taken_out() -> None:
    for cut in range(1, 12):
        tail = output.Tail(100)
        for piece in ("x" * 50 + "canary-value"[:cut], "canary-value"[cut:] + "." * 100):
            tail.add(piece)
        tail.add("canary-value")

        said = tail.text(knowing("canary-value"))

        assert "ary-" not in said and "valu" not in said, said
        assert said.endswith("...[secret]")


def test_a_value_that_one_long_write_cuts_is_taken_out() -> None:
    tail = output.Tail(100)
    tail.add("canary-value" + "." * 94)

    assert tail.text() == "-value" + "." * 94
    assert tail.text(knowing("canary-value")) == ("[secret]" + "." * 94)[-100:]


def test_a_value_written_bit_by_bit_is_taken_out_of_what_is_kept() -> None:
    tail = output.Tail()
    for each in "a canary-value b":
        tail.add(each)

    assert tail.text(knowing("canary-value")) == "a [secret] b"
    assert tail.text() == "a canary-value b"


# -- the log


@pytest.fixture
def watched() -> Iterator[Scrubber]:
    scrubber = knowing("canary-value")
    scrubbing.watch(scrubber)
    yield scrubber
    scrubbing.unwatch(scrubber)
    scrubbing._ended.clear()


@pytest.fixture
def heard(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[logging.LogRecord]]:
    """What a handler hears that is nobody's of ours."""
    monkeypatch.setattr(logging.Logger, "handle", logging.Logger.handle)
    scrubbing.watch_log()
    scrubbing.watch_log()
    records: list[logging.LogRecord] = []
    logger = logging.getLogger("tests.scrubbing")
    logger.setLevel(logging.DEBUG)
    logger.propagate = False
    handler = logging.Handler()
    handler.emit = records.append  # type: ignore[method-assign]
    logger.addHandler(handler)
    yield records
    logger.removeHandler(handler)


def said(record: logging.LogRecord) -> str:
    text = logging.Formatter("%(message)s").format(record)
    return text + repr({k: v for k, v in vars(record).items() if k not in {"exc_info"}}) + repr(record.exc_info)


def test_no_handler_hears_a_value(watched: Scrubber, heard: list[logging.LogRecord]) -> None:
    log = logging.getLogger("tests.scrubbing")
    log.debug("it is %s", "canary-value")
    log.info("it is canary-value", extra={"token": "canary-value", "more": {"deep": ["canary-value"]}})
    log.warning("%s", {"token": "canary-value"})
    try:
        raise ValueError("canary-value")
    except ValueError:
        log.exception("caught")
    log.warning("wrong %d", "canary-value")

    assert len(heard) == 5
    for record in heard:
        assert "canary" not in said(record)
    assert heard[1].token == "[secret]" and heard[1].more == {"deep": ["[secret]"]}  # type: ignore[attr-defined]
    assert heard[4].getMessage() == "wrong %d ('[secret]',)"
    assert "ValueError: [secret]" in logging.Formatter().format(heard[3])


def test_an_exception_without_a_value_stays_whole(watched: Scrubber, heard: list[logging.LogRecord]) -> None:
    try:
        raise ValueError("harmless")
    except ValueError:
        logging.getLogger("tests.scrubbing").exception("caught")

    assert heard[0].exc_info is not None and heard[0].exc_info[0] is ValueError


def test_what_an_attempt_has_started_may_speak_after_its_end(heard: list[logging.LogRecord]) -> None:
    scrubber = knowing("canary-value")
    scrubbing.watch(scrubber)
    scrubbing.unwatch(scrubber)

    assert scrubbing.scrub("late canary-value") == "late [secret]"
    for n in range(64):
        scrubbing.unwatch(knowing(f"other-{n}"))
    assert scrubbing.scrub("late canary-value") == "late canary-value"
    scrubbing._ended.clear()
    assert not scrubbing._watched


SCRUBBING, OUTPUT = "youtility_tasks.secrets.scrubbing", "youtility_tasks.workers.output"


@pytest.mark.parametrize(
    ("owner", "guard", "instead"),
    [
        ("scrub_record", "record.msg, record.args = scrubbed, None", "pass"),
        ("scrub_record", "record.exc_info, record.exc_text = None, scrubbed", "pass"),
        ("scrub_record", "_scrub_json(record.__dict__[name])", "record.__dict__[name]"),
        ("scrub_record", "record.msg = scrub(record.msg)", "pass"),
    ],
    ids=["message", "exception", "extra", "wrong format"],
)
def test_each_part_of_a_record_needs_its_guard(
    owner: str, guard: str, instead: str, watched: Scrubber, heard: list[logging.LogRecord], monkeypatch: Any
) -> None:
    monkeypatch.setattr(scrubbing, owner, getattr(scrubbing, owner))  # put back at the end
    mutants.apply(mutants.Mutant(SCRUBBING, owner, guard, instead))

    with pytest.raises((AssertionError, TypeError)):
        test_no_handler_hears_a_value(watched, heard)


@pytest.mark.parametrize(
    ("guard", "instead"),
    [
        ("text = hidden.without_remnant(text)", "pass"),
        ("text = hidden.text(text)", "pass"),
        ('"".join(self._pieces)', '"".join(self._pieces)[-self.limit :]; self._is_cut = False'),
    ],
    ids=["remnant", "whole", "scrub before the cut"],
)
def test_each_step_of_the_kept_output_is_needed(guard: str, instead: str, monkeypatch: Any) -> None:
    monkeypatch.setattr(output.Tail, "text", output.Tail.text)
    mutants.apply(mutants.Mutant(OUTPUT, "Tail.text", guard, instead))

    with pytest.raises(AssertionError):
        test_a_value_that_the_limit_of_the_output_cuts_is_taken_out()
        test_a_value_that_one_long_write_cuts_is_taken_out()


# -- errors for those who print them themselves


@pytest.mark.parametrize("kind", [NotReady, BadInput, Transient, errors.SoftTimeLimit, errors.AbortRequested])
def test_an_error_that_shows_a_value_becomes_one_that_means_the_same(kind: type[BaseException]) -> None:
    told = knowing("canary-value").error(kind("no canary-value"))

    assert type(told) is kind
    assert str(told) == f"{kind.__name__}: no [secret]"


def test_an_error_whose_cause_shows_a_value_is_replaced_and_a_harmless_one_is_not() -> None:
    harmless, cause = ValueError("harmless"), KeyError("canary-value")
    assert knowing("canary-value").error(harmless) is harmless

    harmless.__cause__ = cause
    assert type(knowing("canary-value").error(harmless)) is errors.TaskError


def _said_of(value: str, before: int) -> str:
    error = ValueError("x" * before + value + "y" * 20_000)
    return "".join(run._told(cast("Any", SimpleNamespace(hidden=knowing(value))), error))


def test_an_error_is_scrubbed_before_it_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    """The middle of a long one is left out, and the edge of that may lie within a value."""
    value = "canary-value-of-thirty-characters"
    for before in range(4_970, 4_998):
        assert "canary" not in _said_of(value, before)

    monkeypatch.setattr(run, "_told", run._told)  # put back at the end
    mutants.apply(
        mutants.Mutant(
            run.__name__,
            "_told",
            "payload.clean_text(scrub(payload.safe(str, error)), limit=_MAX_MESSAGE)",
            "scrub(payload.clean_text(payload.safe(str, error), limit=_MAX_MESSAGE))",
        )
    )
    assert "canary" in _said_of(value, 4_980)
