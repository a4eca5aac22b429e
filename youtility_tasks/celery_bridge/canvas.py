"""Chains, groups and chords, written and stored as Celery writes them; a canvas that is started is a run of a workflow."""

from __future__ import annotations

import itertools
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from youtility_tasks.errors import NotOfCelery

from . import config, sides
from .groups import GroupResult
from .results import AsyncResult
from .signatures import Signature, copied, maybe_signature, signature, subtask

__all__ = [
    "Signature",
    "chain",
    "chord",
    "chunks",
    "group",
    "maybe_signature",
    "signature",
    "subtask",
    "xmap",
    "xstarmap",
]


class _Canvas(Signature):
    """What is made of other signatures."""

    kind: str

    def __init_subclass__(cls) -> None:
        Signature.TYPES[cls.kind] = cls

    def _begin(self, **said: Any) -> None:
        options = said.pop("options", {})
        Signature.__init__(self, f"celery.{self.kind}", (), said, options, subtask_type=self.kind)

    @classmethod
    def from_dict(cls, given: Mapping[str, Any], app: Any = None) -> Signature:
        made = cls.__new__(cls)
        dict.__init__(made, given)
        made["kwargs"] = {
            key: _signatures(value)
            if key in ("tasks", "header")
            else maybe_signature(value, clone=True)
            if key == "body"
            else value
            for key, value in given["kwargs"].items()
        }
        return made

    def __call__(self, *args: Any, **options: Any) -> Any:
        return self.apply_async(args, **options)

    def apply_async(self, args: Any = (), kwargs: Any = None, **options: Any) -> Any:
        """Start it, in the caller's transaction; its result."""
        if config.conf["task_always_eager"]:
            return self.apply(args, kwargs, **options)
        return sides.send_canvas(self, tuple(args or ()), dict(kwargs or {}), options)


class chain(_Canvas):
    """One after the other; each is given the result of the one before."""

    kind = "chain"

    def __init__(self, *tasks: Any, **options: Any) -> None:
        given = tasks[0] if len(tasks) == 1 and not isinstance(tasks[0], Mapping) else tasks
        members: list[Any] = []
        for each in _flat(given):
            if members and isinstance(members[-1], group):
                members[-1] = chord(members[-1], each)
            elif members and isinstance(members[-1], chord):
                members[-1] = members[-1].before(each)
            else:
                members.append(each.clone())
        self._begin(tasks=members, options=options)

    tasks = property(lambda self: self["kwargs"]["tasks"])

    def apply(self, args: Any = (), kwargs: Any = None, **options: Any) -> Any:
        """Run it here and now; the result of the last, whose `parent` is that of the one before."""
        before: Any = None
        for each in self.tasks:
            given = tuple(args or ()) if before is None else (before.get(),)
            result = each.apply(given, (kwargs or {}) if before is None else {}, **_of_leaf(self["options"]))
            _stand_behind(result, before)
            before = result
            if isinstance(result, AsyncResult) and not result.successful():
                break
        return before

    def __repr__(self) -> str:
        return " | ".join(map(repr, self.tasks))


class group(_Canvas):
    """Side by side."""

    kind = "group"

    def __init__(self, *tasks: Any, **options: Any) -> None:
        given = tasks
        if len(tasks) == 1 and not isinstance(tasks[0], Mapping):
            given = tasks[0]
        elif len(tasks) == 1 and isinstance(tasks[0], group):
            given = tuple(tasks[0].tasks)
        self._begin(tasks=[each.clone() for each in map(maybe_signature, given)], options=options)

    tasks = property(lambda self: self["kwargs"]["tasks"])

    def skew(self, start: float = 1.0, stop: float | None = None, step: float = 1.0) -> group:
        """Give the members countdowns of start, start + step, ..., none above stop."""
        waits: Iterator[float] = itertools.count(start, step)
        for each in self.tasks:
            wait = next(waits)
            each.set(countdown=wait if stop is None else min(wait, stop))
        return self

    def link(self, callback: Any) -> Any:
        """Have this begin, without a result, when the first member has succeeded; as Celery does. After all of them: `group(...) | callback`."""
        if not self.tasks:
            return callback
        linked = maybe_signature(callback).clone()
        linked.set_immutable(True)
        return self.tasks[0].link(linked)

    def link_error(self, errback: Any) -> Any:
        """Have this begin with the failure of each member."""
        return [each.link_error(errback) for each in self.tasks]

    def apply(self, args: Any = (), kwargs: Any = None, **options: Any) -> GroupResult:
        """Run it here and now."""
        results: list[Any] = []
        for each in self.tasks:
            made = each.apply(args, kwargs, **_of_leaf(options))
            results += made.results if isinstance(each, group) else [made]  # as in Celery, one group
        return GroupResult(str(uuid.uuid4()), results)

    def __len__(self) -> int:
        return len(self.tasks)

    def __bool__(self) -> bool:
        return True

    def __repr__(self) -> str:
        return f"group({', '.join(map(repr, self.tasks))})"


class chord(_Canvas):
    """A group, and what is given the list of its results: `chord(header)(body)`, `chord(header, body)()`."""

    kind = "chord"

    def __init__(self, header: Any, body: Any = None, **options: Any) -> None:
        members = header if isinstance(header, group) else group(header)
        self._begin(
            header=group(*members.tasks).tasks,
            body=None if body is None else maybe_signature(body).clone(),
            options=options,
        )

    tasks = property(lambda self: self["kwargs"]["header"])
    body = property(lambda self: self["kwargs"]["body"])

    def before(self, other: Signature) -> chord:
        """The same, with this behind its body."""
        made = chord(group(*self.tasks), self.body | other)
        made["options"] = copied(self["options"])
        return made

    def __call__(self, body: Any = None, **options: Any) -> Any:
        return self.apply_async(body=body, **options)

    def apply_async(self, args: Any = (), kwargs: Any = None, body: Any = None, **options: Any) -> Any:
        """Start it; the body's result, whose `parent` is the group's."""
        given = body if body is not None else (kwargs or {}).get("body")
        whole = self if given is None else chord(group(*self.tasks), given, **self["options"])
        if whole.body is None:
            raise NotOfCelery("A chord has a body: `chord(header)(body)`. Without one it is a group.")
        return _Canvas.apply_async(whole, args, {}, **options)

    def apply(self, args: Any = (), kwargs: Any = None, body: Any = None, **options: Any) -> Any:
        """Run it here and now."""
        header = group(*self.tasks).apply(args, **options)
        last = maybe_signature(body) if body is not None else self.body
        result = last.apply((header.get(),))
        _stand_behind(result, header)
        return result

    def link(self, callback: Any) -> Any:
        """Have this begin when the body has succeeded."""
        return self.body.link(callback)

    def link_error(self, errback: Any) -> Any:
        """Have this begin, once, when a task of the header or the body has failed."""
        return self.body.link_error(errback)

    def __or__(self, other: Any) -> Any:
        is_call = isinstance(other, Mapping) and "task" in other
        return self.before(maybe_signature(other)) if is_call else NotImplemented

    def __repr__(self) -> str:
        return f"chord(({', '.join(map(repr, self.tasks))}), {self.body!r})"


class xmap(Signature):
    """One job that calls a task with each element: `add.map(it)`."""

    task_name = "celery.map"

    def __init__(self, task: Any, it: Any, **options: Any) -> None:
        said = {"task": dict(maybe_signature(task)), "it": list(it)}
        super().__init__(self.task_name, (), said, immutable=True, **options)


class xstarmap(xmap):
    """The same, each element being arguments."""

    task_name = "celery.starmap"


class chunks(group):
    """Many calls, n of them in each job."""

    kind = "chunks"

    def __init__(self, task: Any, it: Iterable[Any], n: int, **options: Any) -> None:
        elements = iter(it)
        parts = iter(lambda: list(itertools.islice(elements, n)), [])
        group.__init__(self, [xstarmap(task, part) for part in parts], **options)
        self["subtask_type"], self["task"] = "group", "celery.group"

    def group(self) -> group:
        """The group that it is."""
        return group(*self.tasks)


def _signatures(given: Sequence[Any]) -> list[Any]:
    return [maybe_signature(each, clone=True) for each in given]


def _of_leaf(options: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in options.items() if name in ("throw", "link_error", "headers")}


def _flat(given: Iterable[Any]) -> Iterator[Any]:
    """Without chains in the chain, unless they have options of their own."""
    for each in map(maybe_signature, given):
        if isinstance(each, chain) and not each["options"]:
            yield from each.tasks
        else:
            yield each


def _stand_behind(result: Any, before: Any) -> None:
    if isinstance(result, GroupResult):
        result.parent = before
    else:
        result._parent = before
