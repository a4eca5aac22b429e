"""`Signature`: a call that is not made yet, written and stored as Celery writes it."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from youtility_tasks import declaration
from youtility_tasks.errors import NotOfCelery

from . import known, states
from .positions import by_name
from .results import AsyncResult, EagerResult


class Signature(dict[str, Any]):
    """A call that is not made yet: `add.s(2, 2)`. It is its own JSON, and `Signature.from_dict` reads that."""

    TYPES: dict[str, type[Signature]] = {}

    def __init__(
        self, task: Any = None, args: Any = None, kwargs: Any = None, options: Mapping[str, Any] | None = None, type: Any = None,
        subtask_type: str | None = None, immutable: bool = False, app: Any = None, **more: Any,
    ) -> None:  # fmt: skip
        if isinstance(task, Mapping):
            super().__init__(task)
            return
        name = getattr(task, "name", task)
        super().__init__(
            task=name,
            args=tuple(args or ()),
            kwargs=dict(kwargs or {}),
            options={**(options or {}), **more},
            subtask_type=subtask_type,
            immutable=immutable,
        )

    @classmethod
    def from_dict(cls, given: Mapping[str, Any], app: Any = None) -> Signature:
        """The signature that was stored as this."""
        kind = given.get("subtask_type")
        if kind and cls is Signature:
            return cls.TYPES[kind].from_dict(given)
        return Signature(given)

    # -- what it says

    task = property(lambda self: self["task"])
    name = task
    args = property(lambda self: self["args"])
    kwargs = property(lambda self: self["kwargs"])
    options = property(lambda self: self["options"])
    subtask_type = property(lambda self: self["subtask_type"])
    immutable = property(lambda self: self["immutable"])
    id = property(lambda self: self["options"].get("task_id"))

    @property
    def type(self) -> Any:
        """The task."""
        house = known.house(self["task"])
        return known.of(house) or house

    def __repr__(self) -> str:
        said = [repr(each) for each in self["args"]] + [f"{name}={value!r}" for name, value in self["kwargs"].items()]
        return f"{self['task']}({', '.join(said)})"

    reprcall = __repr__

    def clone(self, args: Any = (), kwargs: Any = None, **options: Any) -> Signature:
        """A copy with these arguments before its own, and these options."""
        if args or kwargs or options:
            merged = self._merged(args or (), kwargs or {}, options)
        else:
            merged = self["args"], self["kwargs"], self["options"]
        made = Signature.from_dict(
            {**self, "args": tuple(merged[0]), "kwargs": dict(merged[1]), "options": copied(merged[2])}
        )
        return made

    partial = clone

    def replace(self, args: Any = None, kwargs: Any = None, options: Any = None) -> Signature:
        """A copy with these in the place of its own."""
        made = self.clone()
        made["args"] = made["args"] if args is None else tuple(args)
        made["kwargs"] = made["kwargs"] if kwargs is None else dict(kwargs)
        made["options"] = made["options"] if options is None else dict(options)
        return made

    def set(self, immutable: bool | None = None, **options: Any) -> Signature:
        """Options for its call: `add.s(2, 2).set(countdown=10)`."""
        if immutable is not None:
            self["immutable"] = immutable
        self["options"].update(options)
        return self

    def set_immutable(self, immutable: bool) -> None:
        """Whether it takes no result of another task."""
        self["immutable"] = immutable

    def freeze(self, _id: str | None = None, **_: Any) -> AsyncResult:
        """The result that it will have: it is given an id now."""
        self["options"].setdefault("task_id", _id or str(uuid.uuid4()))
        return AsyncResult(self["options"]["task_id"])

    def link(self, callback: Any) -> Any:
        """Have this begin when it has succeeded, with its result as first argument."""
        return self._append("link", callback)

    def link_error(self, errback: Any) -> Any:
        """Have this begin when it has failed."""
        return self._append("link_error", errback)

    def on_error(self, errback: Any) -> Signature:
        """`link_error`, for writing on."""
        self.link_error(errback)
        return self

    def stamp(self, *_: Any, **__: Any) -> Any:
        """Refused."""
        raise NotOfCelery(
            "Stamps of signatures cannot be had here; instead, pass what they say as arguments, or as `headers=`."
        )

    # -- calls

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call the task here, as a function."""
        merged_args, merged_kwargs, _ = self._merged(args, kwargs, {})
        task = self.type
        if isinstance(task, declaration.Task):
            return _call_house(task, merged_args, merged_kwargs)
        return task(*merged_args, **merged_kwargs)

    def delay(self, *args: Any, **kwargs: Any) -> Any:
        """`apply_async` with these arguments before its own."""
        return self.apply_async(args, kwargs)

    def apply_async(self, args: Any = (), kwargs: Any = None, **options: Any) -> Any:
        """Start it; its result."""
        merged_args, merged_kwargs, merged_options = self._merged(args or (), kwargs or {}, options)
        return self.type.apply_async(merged_args, merged_kwargs, **merged_options)

    def apply(self, args: Any = (), kwargs: Any = None, **options: Any) -> Any:
        """Run it here and now."""
        merged_args, merged_kwargs, merged_options = self._merged(args or (), kwargs or {}, options)
        task = self.type
        if isinstance(task, declaration.Task):
            return _apply_house(task, merged_args, merged_kwargs)
        return task.apply(merged_args, merged_kwargs, **merged_options)

    def __invert__(self) -> Any:
        return self.apply_async().get()

    def __or__(self, other: Any) -> Any:
        # One of Celery's own (a bound task's `self.s()` in its workers) is a dict like ours, and `dict | dict` would be a dict.
        if not isinstance(other, Mapping) or "task" not in other:
            return NotImplemented
        return Signature.TYPES["chain"](self, other)

    def __ror__(self, other: Any) -> Any:
        return maybe_signature(other) | self if isinstance(other, Mapping) and "task" in other else NotImplemented

    def __deepcopy__(self, memo: Any) -> Signature:
        return self.clone()

    def __reduce__(self) -> Any:
        return Signature.from_dict, (dict(self),)

    def _merged(
        self, args: Iterable[Any], kwargs: Mapping[str, Any], options: Mapping[str, Any]
    ) -> tuple[Any, Any, Any]:
        said = {**self["options"], **options}
        if self["immutable"]:
            return self["args"], self["kwargs"], said
        return (*args, *self["args"]), {**self["kwargs"], **kwargs}, said

    def _append(self, key: str, value: Any) -> Any:
        mine = self["options"].get(key)
        mine = list(mine) if isinstance(mine, list | tuple) else [] if mine is None else [mine]
        self["options"][key] = mine if value in mine else [*mine, value]
        return value


def signature(varies: Any, *args: Any, **kwargs: Any) -> Signature:
    """`signature("proj.add", args=(2, 2), countdown=10)`, or the signature that a dict is."""
    if isinstance(varies, Mapping):
        return varies.clone() if isinstance(varies, Signature) else Signature.from_dict(varies)
    return Signature(varies, *args, **kwargs)


subtask = signature


def maybe_signature(given: Any, app: Any = None, clone: bool = False) -> Any:
    """A stored signature as one; whatever else as it is."""
    if isinstance(given, Signature):
        return given.clone() if clone else given
    return Signature.from_dict(given) if isinstance(given, Mapping) and "task" in given else given


def copied(options: Mapping[str, Any]) -> dict[str, Any]:
    return {name: list(value) if isinstance(value, list) else value for name, value in options.items()}


def _apply_house(task: declaration.Task, args: Sequence[Any], kwargs: Mapping[str, Any]) -> EagerResult:
    """One of our own tasks, here and now."""
    try:
        return EagerResult(str(uuid.uuid4()), _call_house(task, args, kwargs), states.SUCCESS, name=task.name)
    except Exception as error:
        return EagerResult(str(uuid.uuid4()), error, states.FAILURE, name=task.name)


def _call_house(task: declaration.Task, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
    named_args, named_kwargs = by_name(task, args, kwargs)
    return task.call(*named_args, **named_kwargs)
