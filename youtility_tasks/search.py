"""What a person types to find jobs, as a filter: `parse("task:send_* error:Timeout args.id:7 some words")`.

Words are apart by spaces; one in double quotes may have spaces in it (`error:"no such site"`). `name:value` asks for one thing:

    task:send_*        one task, or with * and ? all registered ones of such a name
    status:failed      once more for each: status:todo status:doing
    queue:email  tenant:7  id:123  lock:site-7  unique:ticket-7  fingerprint:3f2a9c0d11e4b870
    error:Timeout      in the class or the message of the latest attempt's error
    args.id:7          among the arguments: a number, true, false, null or text; deeper: args.site.zone:north
    since:2h until:2026-11-24T06:00:00Z      enqueued, claimed or ended since; enqueued before

What has no name is looked for as `JobFilter.search` says: an id, a lock or key as a whole, a part of a task's name.
"""

from __future__ import annotations

import fnmatch
import json
import re
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any

from . import metrics, queues, registry
from .errors import SearchRefused, did_you_mean
from .listing import JobFilter
from .models.jobs import NO_FINGERPRINT
from .status import JobStatus

LONGEST = 500
_MOST_WORDS, _DEEPEST = 20, 8
_LARGEST_ID, _LARGEST_TENANT = 2**63 - 1, 2**31 - 1
_WORD = re.compile(r'\s*((?:[^\s":]+:)?"(?:[^"\\]|\\.)*"|[^\s"]+)(?=\s|$)')
_SPAN = re.compile(r"(\d{1,6})([smhd])")
_UNIT = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
_NAMES = (
    "task",
    "status",
    "queue",
    "tenant",
    "id",
    "lock",
    "unique",
    "fingerprint",
    "error",
    "since",
    "until",
    "args.",
)
_LONGEST_SPAN_DAYS = 36_500


def parse(text: str) -> JobFilter:
    """The filter that somebody means by this text; empty means all. Raises SearchRefused, which names the word and what is right."""
    found = _Found()
    for word in _words(text):
        name, colon, value = word.partition(":")
        if not colon or word.startswith('"') or not re.fullmatch(r"[a-z]+(\.[^:\s\"]+)?", name):
            found.plain.append(_unquoted(word))
            continue
        if not value:
            raise SearchRefused(f"{word!r} asks for nothing: a value stands behind the colon, as in {name}:...")
        _take(found, name, _unquoted(value), is_quoted=value.startswith('"'))
    return JobFilter(**found.fields, search=" ".join(found.plain))


class _Found:
    def __init__(self) -> None:
        self.fields: dict[str, Any] = {}
        self.plain: list[str] = []

    def once(self, name: str, field: str, value: Any) -> None:
        if field in self.fields:
            raise SearchRefused(f"{name}: is given twice; right is once.")
        self.fields[field] = value


def _words(text: str) -> Iterator[str]:
    if len(text) > LONGEST or "\x00" in text or any("\ud800" <= each <= "\udfff" for each in text):
        raise SearchRefused(
            f"A search has at most {LONGEST} characters, and none that no column can hold; given: {len(text)}."
        )
    at, n, end = 0, 0, len(text.rstrip())
    while at < end:
        word = _WORD.match(text, at)
        if word is None:
            raise SearchRefused(
                f"{text[at:].strip()[:40]!r} has a quote that is not closed, or none before or behind which a space is."
            )
        n += 1
        if n > _MOST_WORDS:
            raise SearchRefused(f"A search has at most {_MOST_WORDS} words.")
        yield word[1]
        at = word.end()


def _unquoted(word: str) -> str:
    return re.sub(r"\\(.)", r"\1", word[1:-1]) if word.startswith('"') else word


def _take(found: _Found, name: str, value: str, *, is_quoted: bool) -> None:
    if name.startswith("args."):
        _take_argument(found, name.removeprefix("args."), value, is_quoted=is_quoted)
        return
    match name:
        case "task":
            found.once(name, "task_names", _tasks(value))
        case "status":
            found.fields["statuses"] = (*found.fields.get("statuses", ()), _status(value))
        case "queue":
            found.once(name, "queue_name", _queue(value))
        case "tenant":
            found.once(name, "tenant_id", _number(name, value, _LARGEST_TENANT))
        case "id":
            found.once(name, "job_id", _number(name, value, _LARGEST_ID))
        case "lock" | "error":
            found.once(name, name, value)
        case "unique":
            found.once(name, "unique_key", value)
        case "fingerprint":
            if not re.fullmatch(rf"[0-9a-f]{{16}}|{NO_FINGERPRINT}", value):
                raise SearchRefused(
                    f"{value!r} is no fingerprint: 16 digits and letters from a to f, or {NO_FINGERPRINT}."
                )
            found.once(name, "fingerprint", value)
        case "since" | "until":
            found.once(name, name, _instant(name, value))
        case _:
            raise SearchRefused(
                f"No search asks for {name!r}; known: {', '.join(_NAMES)}.{did_you_mean(name, _NAMES)} Text with a colon in it "
                f'stands in quotes: "{name}:{value[:40]}".'
            )


def _tasks(value: str) -> tuple[str, ...]:
    known = {each: task for task in registry.registered().values() for each in (task.name, *task.aliases)}
    if not set(value) & set("*?"):
        return tuple(dict.fromkeys([value, *((known[value].name, *known[value].aliases) if value in known else ())]))
    names = tuple(sorted(fnmatch.filter(known, value.replace("[", "[[]"))))
    if not names:
        raise SearchRefused(f"No registered task has a name like {value!r}. `manage_task_queue tasks` lists them all.")
    return names


def _status(value: str) -> JobStatus:
    try:
        return JobStatus(value)
    except ValueError:
        known = [each.value for each in JobStatus]
        raise SearchRefused(
            f"No job is {value!r}; right is one of {', '.join(known)}.{did_you_mean(value, known)}"
        ) from None


def _queue(value: str) -> str:
    known = queues.configured()
    if value not in known:
        raise SearchRefused(
            f"No queue is called {value!r}; known: {', '.join(sorted(known))}.{did_you_mean(value, known)}"
        )
    return value


def _number(name: str, value: str, highest: int) -> int:
    if not re.fullmatch(r"[0-9]{1,19}", value, re.ASCII) or not 0 < int(value) <= highest:
        raise SearchRefused(f"{name}:{value} is no id: a whole number from 1 to {highest}.")
    return int(value)


def _instant(name: str, value: str) -> datetime:
    if span := _SPAN.fullmatch(value):
        back = timedelta(**{_UNIT[span[2]]: int(span[1])})
        if back <= timedelta(days=_LONGEST_SPAN_DAYS):
            return metrics.database_clock() - back
    try:
        given = datetime.fromisoformat(value)
    except ValueError:
        given = None
    if given is None or given.tzinfo is None or not 1900 <= given.year <= 9000:
        raise SearchRefused(
            f"{name}:{value} is no instant: 90s, 15m, 2h, 3d (back from now), or 2026-11-24T06:00:00Z with its zone."
        )
    return given


def _take_argument(found: _Found, path: str, value: str, *, is_quoted: bool) -> None:
    names = path.split(".")
    if not all(names) or len(names) > _DEEPEST or any(each.startswith("$") for each in names):
        raise SearchRefused(
            f"args.{path} names no argument: names with dots between them, at most {_DEEPEST}, none that begins with $."
        )
    at = found.fields.setdefault("args", {})
    for each in names[:-1]:
        at = at.setdefault(each, {})
        if not isinstance(at, dict):
            raise SearchRefused(f"args.{path} asks for something inside a value that is asked for itself.")
    if names[-1] in at:
        raise SearchRefused(f"args.{path} is given twice; right is once.")
    at[names[-1]] = value if is_quoted else _value(value)


def _value(text: str) -> Any:
    """A number, true, false or null as JSON has them; anything else is text."""
    try:
        found = json.loads(text)
    except ValueError:
        return text
    return (
        text
        if isinstance(found, dict | list | str) or found in (float("inf"), float("-inf")) or found != found
        else found
    )


def completions(prefix: str, *, limit: int = 20) -> list[str]:
    """How the last word of a search may go on: names, and behind a colon tasks, queues or statuses. Asks nothing of the database."""
    before, _, word = prefix.rpartition(" ")
    name, colon, value = word.partition(":")
    if not colon:
        found = [f"{each}:" if not each.endswith(".") else each for each in _NAMES if each.startswith(word)]
    else:
        values: Callable[[], Any] = {
            "task": registry.registered,
            "queue": queues.configured,
            "status": lambda: [each.value for each in JobStatus],
        }.get(name, list)
        found = [f"{name}:{each}" for each in sorted(values()) if each.startswith(value)]
    lead = f"{before} " if before or prefix.startswith(" ") else ""
    return [f"{lead}{each}" for each in found[:limit]]
