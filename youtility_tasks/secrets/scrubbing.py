"""Takes the values of marked arguments out of whatever an attempt says: errors, tracebacks, output, log, result."""

from __future__ import annotations

import html
import json
import logging
import re
import traceback
from collections import deque
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote, quote_plus

from youtility_tasks.errors import AbortRequested, BadInput, NotReady, SoftTimeLimit, TaskError, Transient, TryAgain
from youtility_tasks.payload import safe

from .marks import Mark

SHORTEST = 4
"""Characters; a shorter value is in every second word, and is not looked for."""
_SHORTEST_LINE = 8
"""Of a value with several lines (a private key), each line of so many characters is looked for by itself."""
_REMEMBERED = 64
"""Attempts that have ended and whose values are still looked for: what they started may speak later."""

_NOT_EXTRA = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime"}


class Scrubber:
    """Knows the values of one attempt's marked arguments; its patterns are made when they are first needed."""

    __slots__ = ("_numbers", "_pattern", "_texts")

    def __init__(self) -> None:
        self._texts: dict[str, str] = {}
        self._numbers: dict[str, str] = {}
        self._pattern: tuple[re.Pattern[str] | None, dict[str, str]] | None = None

    def learn(self, value: Any, mark: Mark) -> None:
        """Look for this value from now on: for each text and number in it, whatever it is nested in."""
        if isinstance(value, str):
            if len(value) >= SHORTEST:
                self._texts.setdefault(value, mark.shown)
        elif isinstance(value, dict):
            for item in value.values():
                self.learn(item, mark)
        elif isinstance(value, list | tuple):
            for item in value:
                self.learn(item, mark)
        elif isinstance(value, int | float) and not isinstance(value, bool) and len(repr(value)) >= SHORTEST:
            self._numbers.setdefault(repr(value), mark.shown)

    def text(self, text: str) -> str:
        """The text with every value, as it is or as Python, JSON, URLs and HTML write it, replaced by its mark."""
        pattern, marks = self._prepared()
        return text if pattern is None else pattern.sub(lambda found: marks[found[0]], text)

    def json(self, value: Any) -> Any:
        """The same for JSON: texts, keys, and numbers that are a value themselves."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, dict):
            return {self.text(key) if isinstance(key, str) else key: self.json(item) for key, item in value.items()}
        if isinstance(value, list | tuple):
            return [self.json(item) for item in value]
        if isinstance(value, int | float) and not isinstance(value, bool):
            return self._numbers.get(repr(value), value)
        return value

    def without_remnant(self, text: str) -> str:
        """Text whose beginning was cut off, without the rest of a value that it may begin with."""
        for needle, mark in self._prepared()[1].items():
            for length in range(min(len(needle) - 1, len(text)), SHORTEST - 1, -1):
                if text.startswith(needle[-length:]):
                    return mark + text[length:]
        return text

    def shows(self, text: str) -> str | None:
        """The mark of the first value that stands in a key: as a word of it, or anywhere when it is long."""
        for needle, mark in (self._texts | self._numbers).items():
            word = re.escape(needle) if len(needle) >= 2 * SHORTEST else rf"(?<![^\W_]){re.escape(needle)}(?![^\W_])"
            if re.search(word, text):
                return mark
        return None

    def error(self, error: BaseException) -> BaseException:
        """The error itself if it shows no value; else one that means the same to the queue and says it without them.

        For those who will print it themselves; our own worker scrubs the text.
        """
        said = "".join(traceback.format_exception(error))
        if self.text(said) == said:
            return error
        if isinstance(error, TryAgain):
            return TryAgain(error.delay_s, self.text(safe(str, error)))
        meanings = (AbortRequested, SoftTimeLimit, NotReady, BadInput, Transient)
        kind = next((each for each in meanings if isinstance(error, each)), TaskError)
        return kind(self.text(f"{type(error).__qualname__}: {safe(str, error)}"))

    def _prepared(self) -> tuple[re.Pattern[str] | None, dict[str, str]]:
        if self._pattern is None:
            marks = {form: mark for text, mark in self._texts.items() for form in _forms(text)} | self._numbers
            parts = [re.escape(each) for each in sorted(marks, key=len, reverse=True) if each not in self._numbers]
            parts += [rf"(?<![\d.]){re.escape(each)}(?!\d|\.\d)" for each in self._numbers]
            self._pattern = (re.compile("|".join(parts)) if parts else None, marks)
        return self._pattern


def _forms(text: str) -> Iterator[str]:
    yield from _written(text)
    if text.strip() != text and len(text.strip()) >= SHORTEST:
        yield from _written(text.strip())
    lines = text.splitlines()
    if len(lines) > 1:
        yield from (line.strip() for line in lines if len(line.strip()) >= _SHORTEST_LINE)


def _written(text: str) -> Iterator[str]:
    yield text
    yield repr(text)[1:-1]
    yield ascii(text)[1:-1]
    yield repr(text.encode())[2:-1]
    yield json.dumps(text)[1:-1]
    yield json.dumps(text, ensure_ascii=False)[1:-1]
    yield quote(text)
    yield quote(text, safe="")
    yield quote_plus(text)
    yield html.escape(text)


_watched: dict[int, Scrubber] = {}
_ended: deque[Scrubber] = deque(maxlen=_REMEMBERED)


def watch(scrubber: Scrubber) -> None:
    """From now on take its values out of what this process prints and logs, whichever thread does."""
    _watched[id(scrubber)] = scrubber


def unwatch(scrubber: Scrubber) -> None:
    """Its attempt has ended; its values are still looked for until `_REMEMBERED` others have ended."""
    _ended.append(scrubber)
    _watched.pop(id(scrubber), None)


def scrub(text: str) -> str:
    """The text without the values of the attempts that run here or have just ended."""
    if _watched or _ended:
        for scrubber in (*_watched.values(), *_ended):
            text = scrubber.text(text)
    return text


def scrub_record(record: logging.LogRecord) -> None:
    """Take them out of a log record, before any handler sees it: message, exception, stack, `extra`."""
    if not (_watched or _ended):
        return
    try:
        said = record.getMessage()
    except Exception:  # its author's mistake, which every handler would print in full
        said, record.msg, record.args = "", f"{record.msg} {safe(repr, record.args)}", None
        record.msg = scrub(record.msg)
    if (scrubbed := scrub(said)) != said:
        record.msg, record.args = scrubbed, None
    if record.exc_info:
        text = record.exc_text or logging.Formatter().formatException(record.exc_info)
        if (scrubbed := scrub(text)) != text:
            record.exc_info, record.exc_text = None, scrubbed
    elif record.exc_text:
        record.exc_text = scrub(record.exc_text)
    if record.stack_info:
        record.stack_info = scrub(record.stack_info)
    for name in record.__dict__.keys() - _NOT_EXTRA:
        record.__dict__[name] = _scrub_json(record.__dict__[name])


def _scrub_json(value: Any) -> Any:
    for scrubber in (*_watched.values(), *_ended):
        value = scrubber.json(value)
    return value


def watch_log() -> None:
    """Let every record of this process go through `scrub_record`, whoever logs it and whichever handlers there are; once.

    At `Logger.handle` and not in a filter or a record factory: filters of a parent do not see what its children log, a
    factory does not see `extra`.
    """
    handle = logging.Logger.handle
    if getattr(handle, "is_scrubbed", False):
        return

    def scrubbed(self: logging.Logger, record: logging.LogRecord) -> None:
        scrub_record(record)
        handle(self, record)

    scrubbed.is_scrubbed = True  # type: ignore[attr-defined]
    logging.Logger.handle = scrubbed  # type: ignore[method-assign]
