"""What makes two calls of a task one: which arguments they share, how long the first one's job stands for the others, and what becomes
of the later call. UNIQUENESS.md has the modes in a table."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from inspect import Signature
from typing import Any, Literal, Protocol

from .errors import WrongOption

Key = str | Callable[[dict[str, Any]], str | None] | None
"""A lock or key: fixed, or made from the call's arguments."""

While = Literal["waiting", "waiting_or_running", "until_done"]
WHILES = ("waiting", "waiting_or_running", "until_done")
"""The words of `while_`."""
CONFLICTS = ("keep", "replace")
"""The words of `on_conflict`."""

WINDOWS_AT_MOST = 10
"""A debounced job without a `max_wait_s` waits for at most so many of its windows."""
_LONGEST_S = 366 * 86_400.0
_LONGEST_LABEL = 100
_DIGEST_CHARACTERS = 32


@dataclass(frozen=True, slots=True)
class Unique:
    """At most one job of the task for the same key, within the tenant: `@task(unique=Unique(by="site_id"))`, or by `using`.

    `by`: the arguments that make the key, one name or several, defaults included (None: all; (): none, so one job of the task).
    `key` instead: text, or a function of the arguments, which is given digests of marked ones and may return None for "not this time".
    `while_` says how long a job holds its key: "waiting" until it is claimed (and again while it waits for a retry, unless
    another has the key by then), "waiting_or_running" until it has ended, its retries included, "until_done" as a dead letter, too.
    `period_s`: for so many seconds from its enqueue, by the database's clock, whether it has ended or not; with a `while_` for
    both, whichever is longer. The default is "waiting_or_running", and with a `period_s` that alone.
    `on_conflict`: "keep" leaves the job that holds the key as it is; "replace" gives it the later call's arguments, priority and time
    if it waits. Neither changes one that runs. Raises WrongOption.
    """

    by: str | tuple[str, ...] | None = None
    key: Key = None
    while_: While | None = None
    period_s: float | None = None
    on_conflict: Literal["keep", "replace"] = "keep"

    def __post_init__(self) -> None:
        _name_parts(self)
        if self.while_ is None and self.period_s is None:
            object.__setattr__(self, "while_", "waiting_or_running")
        if self.while_ is not None and self.while_ not in WHILES:
            raise WrongOption(f"Unique: while_ is {self.while_!r}; right is one of {', '.join(map(repr, WHILES))}.")
        if self.on_conflict not in CONFLICTS:
            raise WrongOption(f"Unique: on_conflict is {self.on_conflict!r}; right is 'keep' or 'replace'.")
        if self.period_s is not None:
            _check_seconds("Unique", "period_s", self.period_s)


@dataclass(frozen=True, slots=True)
class Debounce:
    """Of the calls with the same key that come within `window_s` seconds of each other the last one runs, once, a window after it.

    Each call moves the waiting job to `window_s` from now, by the database's clock, and gives it its arguments; but it waits
    no longer than `max_wait_s` from the first call (None: ten windows), so that a steady stream runs, too. `by` and `key` as in
    `Unique`. A job that runs is left alone: the next call opens a new window. Raises WrongOption.
    """

    window_s: float
    by: str | tuple[str, ...] | None = None
    key: Key = None
    max_wait_s: float | None = None

    def __post_init__(self) -> None:
        _name_parts(self)
        _check_seconds("Debounce", "window_s", self.window_s)
        if self.max_wait_s is None:
            object.__setattr__(self, "max_wait_s", min(_LONGEST_S, WINDOWS_AT_MOST * self.window_s))
        _check_seconds("Debounce", "max_wait_s", self.max_wait_s)
        if self.longest_s < self.window_s:
            raise WrongOption(
                f"Debounce: max_wait_s is {self.max_wait_s!r}, shorter than the window of {self.window_s!r} s; right is at least that."
            )

    @property
    def longest_s(self) -> float:
        """Seconds from the first call after which it runs, however many more come."""
        assert self.max_wait_s is not None  # noqa: S101 - set above
        return self.max_wait_s


Rule = Unique | Debounce


@dataclass(frozen=True, slots=True)
class Claims:
    """What one call claims by its rule, as the columns and arguments of the statement that enqueues it."""

    queueing_lock: str | None = None
    unique_key: str | None = None
    done_key: str | None = None
    period_key: str | None = None
    period_s: float | None = None
    replaces: bool = False
    debounce_s: float | None = None
    max_wait_s: float | None = None

    def keys(self) -> Mapping[str, str | None]:
        """Each key that a column will show."""
        return {
            "queueing lock": self.queueing_lock,
            "unique key": self.unique_key or self.done_key or self.period_key,
        }


def claims(rule: Rule, task_name: str, tenant_id: int, key: str) -> Claims:
    """What a call with this key claims."""
    if isinstance(rule, Debounce):
        return Claims(
            # procrastinate compares queueing locks over the whole table: tenant and task are in the text.
            queueing_lock=f"{tenant_id}:debounce {task_name} {key}",
            replaces=True,
            debounce_s=rule.window_s,
            max_wait_s=rule.longest_s,
        )
    return Claims(
        queueing_lock=f"{tenant_id}:unique {task_name} {key}" if rule.while_ == "waiting" else None,
        unique_key=key if rule.while_ == "waiting_or_running" else None,
        done_key=key if rule.while_ == "until_done" else None,
        period_key=key if rule.period_s is not None else None,
        period_s=rule.period_s,
        replaces=rule.on_conflict == "replace",
    )


def key_of(
    rule: Rule,
    keyed: Mapping[str, Any],
    signature: Signature,
    is_marked: Callable[[str], bool],
    *,
    verbatim: bool = False,
) -> str | None:
    """The key of a call. `keyed` are its arguments, with digests in the place of marked ones; those stay in the key as they are, so
    that it can follow when they change (`rekey`). Of all others it holds one digest and no value."""
    if callable(rule.key):
        return rule.key(dict(keyed))
    if rule.key is not None:
        return rule.key
    by = None if rule.by is None else _ordered(rule.by)
    values = dict(keyed) if by is None else {name: keyed.get(name) for name in by}
    for name, parameter in () if verbatim else signature.parameters.items():
        is_one = parameter.kind not in (parameter.VAR_KEYWORD, parameter.VAR_POSITIONAL)
        if is_one and name not in keyed and (by is None or name in by):
            values[name] = None if parameter.default is parameter.empty else parameter.default
    marked = [name for name in sorted(values) if name in keyed and is_marked(name) and isinstance(values[name], str)]
    digests = [f":{values.pop(name)}" for name in marked]
    said = json.dumps(values, ensure_ascii=False, sort_keys=True, separators=(",", ":"), default=repr)
    label = "*" if by is None else ",".join(by)[:_LONGEST_LABEL]
    return f"{label}#{hashlib.sha256(said.encode()).hexdigest()[:_DIGEST_CHARACTERS]}{''.join(digests)}"


class Declared(Protocol):
    """What is asked of a task."""

    @property
    def task_name(self) -> str: ...
    @property
    def signature(self) -> Signature: ...
    @property
    def verbatim(self) -> bool: ...
    @property
    def unique(self) -> str | Unique | None: ...
    @property
    def debounce(self) -> Debounce | None: ...
    @property
    def queueing_lock(self) -> Key: ...
    @property
    def run_after(self) -> datetime | None: ...


def check(task: Declared, *, kept_s: float) -> None:
    """Raise WrongOption where a task's rule cannot be meant. `kept_s`: for so many seconds its history is there."""
    what = f"Task {task.task_name!r}"
    if task.debounce is not None and not isinstance(task.debounce, Debounce):
        raise WrongOption(f"{what} has debounce={task.debounce!r}; right is Debounce(30, by='site_id') or seconds.")
    rule = task.debounce or (task.unique if isinstance(task.unique, Unique) else None)
    if rule is None:
        return
    if task.debounce is not None and task.unique is not None:
        raise WrongOption(f"{what} has unique={task.unique!r} and debounce={task.debounce!r}; right is one of the two.")
    if task.queueing_lock is not None:
        raise WrongOption(
            f"{what} has a queueing lock and {rule!r}, and each says when a later call is none of its own; right is one of the "
            "two. Unique(while_='waiting') is what a queueing lock does."
        )
    if task.debounce is not None and task.run_after is not None:
        raise WrongOption(
            f"{what} has run_after={task.run_after!r} and {rule!r}, which says itself when the job runs; right is one of the two."
        )
    _check_names(rule, task)
    if isinstance(rule, Unique) and rule.period_s is not None and rule.period_s > kept_s:
        raise WrongOption(
            f"{what} has period_s={rule.period_s!r}; right is at most {kept_s} s, for which its history is kept: a later call is "
            "answered with what became of the first. Raise history_retention_days or shorten the period."
        )


def _check_names(rule: Rule, task: Declared) -> None:
    parameters = task.signature.parameters
    if not rule.by or (any(each.kind is each.VAR_KEYWORD for each in parameters.values()) and not task.verbatim):
        return
    unknown = [name for name in _ordered(rule.by) if task.verbatim or name not in parameters]
    if unknown:
        takes = "none by name" if task.verbatim else ", ".join(parameters) or "none"
        raise WrongOption(
            f"Task {task.task_name!r}: by names {', '.join(map(repr, unknown))}; right are arguments of the task: {takes}."
        )


def _ordered(by: str | Iterable[str]) -> tuple[str, ...]:
    return (by,) if isinstance(by, str) else tuple(by)


def _name_parts(rule: Rule) -> None:
    what = type(rule).__name__
    if rule.by is not None and rule.key is not None:
        raise WrongOption(
            f"{what}: by is {rule.by!r} and key is {rule.key!r}; right is one of the two. A function may be the key."
        )
    if rule.key is not None and not callable(rule.key) and not isinstance(rule.key, str):
        raise WrongOption(f"{what}: key is {rule.key!r}; right is text, or a function of the arguments.")
    by: Any = rule.by
    if by is not None:
        names = (by,) if isinstance(by, str) else by
        if not isinstance(names, tuple | list) or not all(isinstance(each, str) and each for each in names):
            raise WrongOption(f"{what}: by is {by!r}; right is a name of an argument, or a tuple of names.")
        object.__setattr__(rule, "by", tuple(sorted(set(names))))


def _check_seconds(what: str, name: str, given: object) -> None:
    is_number = isinstance(given, int | float) and not isinstance(given, bool)
    if not is_number or not 0 < given <= _LONGEST_S:  # type: ignore[operator]
        raise WrongOption(f"{what}: {name} is {given!r}; right is more than 0 and at most {_LONGEST_S:.0f} seconds.")
