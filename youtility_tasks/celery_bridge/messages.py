"""A task's message as Celery and kombu lay it down in Redis, read; whatever we could not run as it is meant is told."""

from __future__ import annotations

import base64
import bisect
import json
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, tzinfo
from typing import Any

_LONGEST_BODY = 16 * 1024**2
_LONGEST_ID = 255
_TYPED = {"__type__", "__value__"}
"""How kombu writes a datetime, a Decimal and the like into JSON."""
_CANVAS = {
    "chain": "a chain goes on after it",
    "callbacks": "a link follows it (`link=`)",
    "errbacks": "a link follows its failure (`link_error=`)",
    "chord": "it is of a chord, whose counter is in Celery's results",
}
_FINISH_THERE = "let Celery's workers run it, then look again"
_OF_CELERY = {
    "lang", "task", "id", "shadow", "eta", "expires", "group", "group_index", "retries", "timelimit", "root_id", "parent_id", "argsrepr",
    "kwargsrepr", "origin", "ignore_result", "replaced_task_nesting", "stamped_headers", "stamps", "redelivered", "compression",
    "periodic_task_name", "youtility_tenant", "youtility_sent", "delivery_info", "x-death",
}  # fmt: skip


class Unreadable(ValueError):
    """Why a message cannot be ours."""


@dataclass(frozen=True, slots=True)
class Layout:
    """The keys that kombu uses in one database of Redis."""

    prefix: str = ""
    sep: str = "\x06\x16"
    unacked: str = "unacked"
    unacked_index: str = "unacked_index"
    steps: tuple[int, ...] = (0, 3, 6, 9)

    @classmethod
    def of(cls, options: Mapping[str, Any]) -> Layout:
        """From Celery's `broker_transport_options`."""
        fresh = cls()
        return cls(
            prefix=str(options.get("global_keyprefix", "")),
            sep=str(options.get("sep", fresh.sep)),
            unacked=str(options.get("unacked_key", fresh.unacked)),
            unacked_index=str(options.get("unacked_index_key", fresh.unacked_index)),
            steps=tuple(options.get("priority_steps", fresh.steps)),
        )

    def lists(self, queue: str) -> list[str]:
        """A queue's lists, the most urgent first."""
        return [f"{self.prefix}{queue}{self.sep}{step}" if step else f"{self.prefix}{queue}" for step in self.steps]

    def list_of(self, queue: str, priority: int) -> str:
        """The list that a message of this priority is in."""
        return self.lists(queue)[max(bisect.bisect(self.steps, priority) - 1, 0)]

    @property
    def unacked_key(self) -> str:
        """The hash of what was delivered and not acknowledged."""
        return f"{self.prefix}{self.unacked}"

    @property
    def unacked_index_key(self) -> str:
        """Since when."""
        return f"{self.prefix}{self.unacked_index}"

    def holding(self, source: str) -> str:
        """Where messages stand between a source and our tables."""
        return f"{self.prefix}youtility_adopting{self.sep}{source}"


@dataclass(frozen=True, slots=True)
class Message:
    """A call of a task."""

    raw: bytes
    """As it stands in its list or hash."""
    celery_id: str
    task_name: str
    args: list[Any] = field(default_factory=list)
    kwargs: dict[str, Any] = field(default_factory=dict)
    headers: Mapping[str, Any] = field(default_factory=dict)
    retries: int = 0
    eta: datetime | None = None
    expires: datetime | None = None
    priority: int = 0
    queue: str = ""
    """By its delivery; empty where it does not say."""
    delivery: str = ""
    """Of an entry of the unacked hash: exchange and routing key, with NUL between them."""
    flaw: str = ""
    is_typed: bool = False
    """An argument is of a kind that JSON has not (a datetime, a Decimal, ...)."""
    lost: tuple[str, ...] = ()
    """Headers of the application's own, which a job has not."""


def read(raw: bytes, zone: tzinfo = UTC) -> Message:
    """A message of a queue's list, or an entry of the unacked hash ([message, exchange, routing key]). `flaw` says why it cannot be ours.

    `zone`: of instants without one.
    """
    try:
        outer = json.loads(raw)
        delivery: tuple[str, str] | None = None
        if isinstance(outer, list):
            outer, exchange, key = outer
            delivery = (str(exchange), str(key))
        headers, properties = outer.get("headers") or {}, outer.get("properties") or {}
        info = properties.get("delivery_info") or {}
        queue = (delivery or ("", info.get("routing_key") or ""))[1]
        known: dict[str, Any] = {
            "celery_id": str(headers.get("id") or properties.get("correlation_id") or ""),
            "task_name": str(headers.get("task") or ""),
            "headers": headers,
            "priority": int(properties.get("priority") or info.get("priority") or 0),
            "queue": queue,
            "delivery": "\x00".join(delivery or ()),
        }
    except (ValueError, TypeError, AttributeError, RecursionError) as error:
        return Message(raw, "", "", flaw=f"it is no message of Celery's ({error})")
    try:
        return _opened(raw, outer, known, zone)
    except (
        Unreadable,
        ValueError,
        TypeError,
        KeyError,
        AttributeError,
        OverflowError,
        RecursionError,
        zlib.error,
    ) as error:
        return Message(raw, flaw=str(error) or type(error).__name__, **known)


def unwrapped(entry: bytes) -> bytes:
    """The message of an entry of the unacked hash, as a queue's list has it."""
    return json.dumps(json.loads(entry)[0]).encode()


def _opened(raw: bytes, outer: dict[str, Any], known: dict[str, Any], zone: tzinfo) -> Message:
    body = _body(outer)
    headers = known["headers"]
    if known["task_name"]:
        args, kwargs, embed = body
        facts: Mapping[str, Any] = headers
    else:  # protocol 1: everything stands in the body
        args, kwargs, embed, facts = body.get("args") or [], body.get("kwargs") or {}, body, body
        known = {**known, "task_name": str(body["task"]), "celery_id": str(body["id"])}
    if not known["celery_id"] or len(known["celery_id"]) > _LONGEST_ID:
        raise Unreadable("it has no id by which Celery knows it")
    if not isinstance(args, list) or not isinstance(kwargs, dict):
        raise Unreadable("its arguments are no list and object")
    for name, why in _CANVAS.items():
        if embed.get(name):
            raise Unreadable(f"{why}: {_FINISH_THERE}")
    lost = tuple(sorted(str(name) for name in set(headers) - _OF_CELERY)) if headers else ()
    utc = facts.get("utc", True)
    return Message(
        raw,
        args=args,
        kwargs=kwargs,
        retries=int(facts.get("retries") or 0),
        eta=_instant(facts.get("eta"), UTC if utc else zone),
        expires=_instant(facts.get("expires"), UTC if utc else zone),
        is_typed=_is_typed([args, kwargs]),
        lost=lost,
        **known,
    )


def _body(outer: Mapping[str, Any]) -> Any:
    kind = outer.get("content-type")
    if kind != "application/json":
        named = "pickle, which would run whatever it names" if kind == "application/x-python-serialize" else repr(kind)
        raise Unreadable(f"its body is {named}, and only JSON is read: {_FINISH_THERE}, and set task_serializer='json'")
    body = outer.get("body", "")
    encoding = (outer.get("properties") or {}).get("body_encoding")
    data = base64.b64decode(body, validate=True) if encoding == "base64" else str(body).encode()
    compression = (outer.get("headers") or {}).get("compression")
    if compression == "application/x-gzip":  # kombu's name for zlib
        opened = zlib.decompressobj()
        data = opened.decompress(data, _LONGEST_BODY)
        if opened.unconsumed_tail:
            raise Unreadable(f"its body is longer than {_LONGEST_BODY} bytes")
    elif compression:
        raise Unreadable(f"its body is compressed by {compression!r}: {_FINISH_THERE}")
    return json.loads(data)


def _is_typed(value: Any) -> bool:
    if isinstance(value, dict):
        return set(value) >= _TYPED or any(map(_is_typed, value.values()))
    return isinstance(value, list) and any(map(_is_typed, value))


def _instant(given: Any, zone: tzinfo) -> datetime | None:
    if not given:
        return None
    found = datetime.fromisoformat(str(given))
    return found if found.utcoffset() is not None else found.replace(tzinfo=zone)
