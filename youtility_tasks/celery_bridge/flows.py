"""A canvas as a run of a workflow: each signature a step, each result a reference, each link an edge."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from inspect import Parameter
from typing import Any

from youtility_tasks.declaration import Task
from youtility_tasks.errors import NotOfCelery
from youtility_tasks.workflows.definition import Step, Workflow
from youtility_tasks.workflows.graph import COMPLETION, FAILURE, SUCCESS, EdgeKind

from . import ids, known, options, plain, request
from .groups import GroupResult
from .request import ARGS, HEADERS
from .results import AsyncResult

_LONGEST_NAME = 200


@dataclass(slots=True)
class _Done:
    """What a signature has become: one step, or what the members of a group have become."""

    step: Step | None = None
    members: list[_Done] = field(default_factory=list)
    group: str = ""
    steps: list[Step] = field(default_factory=list)
    """All of it, the first ones too."""
    before: _Done | None = None
    known_as: str = ""
    """The id that the caller gave."""

    def stand_behind(self, other: _Done) -> None:
        """Its first member comes after the other."""
        first = self
        while first.before is not None:
            first = first.before
        first.before = other

    def last(self) -> list[Step]:
        """The steps whose results are its result."""
        return [self.step] if self.step is not None else [step for each in self.members for step in each.last()]

    def shape(self, number: Callable[[Step], int]) -> Any:
        """Its result, with a number for each reference."""
        return number(self.step) if self.step is not None else [each.shape(number) for each in self.members]

    def result(self, run: int) -> Any:
        """As call sites get it."""
        before = self.before.result(run) if self.before is not None else None
        if self.step is not None:
            return AsyncResult(self.known_as or f"{run}:{self.step.name}", parent=before)
        return GroupResult(f"{run}:{self.group}", [each.result(run) for each in self.members], parent=before)


@dataclass(frozen=True, slots=True)
class _Failed:
    """What an errback comes after: a step that failed, or one that was skipped for want of these."""

    step: Step
    of: Sequence[Step] = ()


_Before = _Done | _Failed | None


def start(canvas: Mapping[str, Any], args: Sequence[Any], kwargs: Mapping[str, Any], said: Mapping[str, Any]) -> Any:
    """Write the run and enqueue its first steps, in the caller's transaction; the canvas's result.

    Raises what `Workflow.start` raises, and NotOfCelery; then nothing was written.
    """
    made = _Maker(f"{canvas.get('subtask_type') or 'call'} of {_first_name(canvas)}"[:_LONGEST_NAME])
    done = made.add({**canvas, "options": {**canvas["options"], **said}}, None, args=tuple(args), kwargs=kwargs)
    if not made.flow.steps:
        return GroupResult(str(uuid.uuid4()), [])
    run = made.flow.start().id
    ids.remember_steps(run, made.named)
    return done.result(run)


def of_call(task: Task, args: Any, kwargs: Any, said: Mapping[str, Any]) -> dict[str, Any]:
    """One call as a canvas: of a task, and of what is linked to it."""
    return {
        "task": task.task_name,
        "args": tuple(args or ()),
        "kwargs": dict(kwargs or {}),
        "options": dict(said),
        "subtask_type": None,
        "immutable": False,
    }


def task_names(canvas: Mapping[str, Any]) -> set[str]:
    """The tasks of a canvas, those of its links too."""
    inside = canvas["kwargs"] if canvas.get("subtask_type") else {}
    below = [*(inside.get("tasks") or ()), *(inside.get("header") or ()), *filter(None, [inside.get("body")])]
    for name in ("link", "link_error"):
        below += options.listed(canvas["options"].get(name))
    names = {str(canvas["task"])} if not inside else set()
    if canvas["task"] in ("celery.map", "celery.starmap"):
        names = {str(canvas["kwargs"]["task"]["task"])}
    return names.union(*map(task_names, below))


def _first_name(canvas: Mapping[str, Any]) -> str:
    inside = canvas["kwargs"].get("tasks") or canvas["kwargs"].get("header") if canvas.get("subtask_type") else None
    if inside is None:
        return str(canvas["task"])
    return _first_name(inside[0]) if inside else "nothing"


class _Maker:
    """Makes the steps, each behind what it waits for."""

    def __init__(self, name: str) -> None:
        self.flow = Workflow(name)
        self.named: list[tuple[str, str, str]] = []
        """(id that the caller gave, step, task)."""
        around = request.innermost()
        self.root = around[1].root_id if around else None
        self.parent = around[1].id if around else None
        self.groups = 0

    def add(
        self, sig: Mapping[str, Any], before: _Before, *, name: str | None = None, args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None, inherited: Mapping[str, Any] | None = None,
        group: Mapping[str, Any] | None = None,
    ) -> _Done:  # fmt: skip
        """The signature's steps. `args` and `kwargs` are of the call, `inherited` options of the canvas that it is in."""
        said = options.merged(inherited or {}, sig["options"])
        given = (*args, *sig["args"]), dict(kwargs or {})
        match sig.get("subtask_type"):
            case "chain":
                return self._chain(sig, before, name, given, said, group)
            case "group":
                return self._group(sig["kwargs"]["tasks"], before, name, given, said)
            case "chord":
                return self._chord(sig["kwargs"], before, name, given, said, group)
        if sig["immutable"]:
            given = tuple(sig["args"]), {}
        return self._task(sig, before, name, given[0], {**sig["kwargs"], **given[1]}, said, group)

    def _chain(
        self, sig: Mapping[str, Any], before: _Before, name: str | None, given: Any, said: dict[str, Any], group: Any
    ) -> _Done:
        tasks = sig["kwargs"]["tasks"]
        of_last = {key: said.pop(key) for key in ("link", "task_id") if said.get(key)}
        every = options.of_every_task(said)
        done: _Before = before
        steps: list[Step] = []
        for n, each in enumerate(tasks):
            is_last = n == len(tasks) - 1
            mine = {**(said if n == 0 else every), **(of_last if is_last else {})}
            own_name = name if is_last else None if name is None else f"{name}-{n + 1}"
            args, kwargs = given if n == 0 else ((), {})
            new = self.add(
                each, done, name=own_name, args=args, kwargs=kwargs, inherited=mine, group=group if is_last else None
            )
            steps += new.steps
            if isinstance(done, _Done) and n > 0:
                new.stand_behind(done)
            done = new
        if not isinstance(done, _Done):
            raise NotOfCelery("A chain has a task; given: none.")
        done.steps = steps
        return done

    def _group(
        self, tasks: Sequence[Any], before: _Before, name: str | None, given: Any, said: Mapping[str, Any]
    ) -> _Done:
        if name is None:
            self.groups += 1
            name = f"group{self.groups}"
        members = [
            self.add(
                each, before, name=f"{name}.{n}", args=given[0], kwargs=given[1], inherited=mine,
                group={"group": f":{name}", "group_index": n},
            )
            for n, (each, mine) in enumerate(_unrolled(tasks, said))
        ]  # fmt: skip
        return _Done(members=members, group=name, steps=[step for each in members for step in each.steps])

    def _chord(
        self, inside: Mapping[str, Any], before: _Before, name: str | None, given: Any, said: dict[str, Any], group: Any
    ) -> _Done:
        of_body: dict[str, Any] = {key: said.pop(key) for key in ("link", "link_error", "task_id") if key in said}
        header = self._group(
            inside["header"], before, None, given, options.of_every_task(said) | options.of_first_task(said)
        )
        body = self.add(
            inside["body"], header, name=name, inherited={**options.of_every_task(said), **of_body}, group=group
        )
        errbacks = options.listed(of_body.get("link_error")) + options.listed(
            inside["body"]["options"].get("link_error")
        )
        if header.steps:
            for each in errbacks:
                self.add(each, _Failed(body.steps[0], header.steps))
        body.stand_behind(header)
        body.steps = [*header.steps, *body.steps]
        return body

    def _task(
        self, sig: Mapping[str, Any], before: _Before, name: str | None, args: tuple[Any, ...], kwargs: Mapping[str, Any],
        said: Mapping[str, Any], group: Mapping[str, Any] | None,
    ) -> _Done:  # fmt: skip
        house = known.house(sig["task"])
        bridged = known.of(house)
        call = options.of_call(house, {**(bridged.defaults() if bridged else {}), **said})
        name = name or self._free(house.task_name)
        takes = None if sig["immutable"] else before
        refs, headers = _references(takes)
        edges, when = _edges(before)
        if bridged is not None:
            more = {
                "step": name,
                "root": self.root or f":{next(iter(self.flow.steps), name)}",
                "parent": self._parent(before),
            }
            packed = plain.packed(dict(kwargs))
            arguments = {**packed, **refs, HEADERS: _known({**headers, **more, **call.headers, **(group or {})})}
            if args:
                arguments[ARGS] = plain.packed(list(args))
        else:
            arguments = _by_name(house, args, kwargs, refs, takes)
        step = self.flow.step(call.task, name=name, after=edges, when=when, wait=call.wait, args=arguments)
        if call.celery_id:
            self.named.append((call.celery_id, name, house.task_name))
        done = _Done(step=step, steps=[step], known_as=call.celery_id)
        for each in call.links:
            self.add(each, done)
        for each in call.errbacks:
            self.add(each, _Failed(step))
        return done

    def _free(self, task_name: str) -> str:
        base = task_name.rpartition(".")[2][: _LONGEST_NAME - 8]
        n = 1
        while (name := base if n == 1 else f"{base}-{n}") in self.flow.steps:
            n += 1
        return name

    def _parent(self, before: _Before) -> str | None:
        if isinstance(before, _Done):
            steps = before.last()
            return f":{steps[-1].name}" if steps else self.parent
        return f":{before.step.name}" if before is not None else self.parent


def _unrolled(tasks: Sequence[Any], said: Mapping[str, Any]) -> Iterator[tuple[Any, Mapping[str, Any]]]:
    """The members of a group with the options that they inherit: as in Celery, those of a group within it are its own."""
    for each in tasks:
        if each.get("subtask_type") == "group":
            yield from _unrolled(each["kwargs"]["tasks"], options.merged(said, each["options"]))
        else:
            yield each, said


def _edges(before: _Before) -> tuple[dict[Step, EdgeKind] | None, Any]:
    if before is None:
        return None, None
    if isinstance(before, _Done):
        return dict.fromkeys(before.last(), SUCCESS), None
    if not before.of:
        return {before.step: FAILURE}, None
    return dict.fromkeys([before.step, *before.of], COMPLETION), before.step.status.equals("skipped")


def _references(before: _Before) -> tuple[dict[str, Any], dict[str, Any]]:
    """References under names of their own, and what a job's headers say of them."""
    if before is None:
        return {}, {}
    if isinstance(before, _Failed):
        whose = before.of or [before.step]
        told = [[f"$error{n}", f":{each.name}", each.task.name if each.task else ""] for n, each in enumerate(whose)]
        asked = (
            {}
            if not before.of
            else {"errors_of": [f":{before.step.name}", before.step.task.name if before.step.task else ""]}
        )
        return {f"$error{n}": each.error for n, each in enumerate(whose)}, {"errors": told, **asked}
    refs: dict[str, Any] = {}

    def number(step: Step) -> int:
        refs[f"${len(refs)}"] = step.result
        return len(refs) - 1

    shape = before.shape(number)
    return refs, {"before": shape}


def _by_name(
    house: Task, args: Sequence[Any], kwargs: Mapping[str, Any], refs: Mapping[str, Any], before: _Before
) -> dict[str, Any]:
    """The arguments of one of our own tasks, which have names alone."""
    if isinstance(before, _Failed) or (isinstance(before, _Done) and before.step is None):
        raise NotOfCelery(
            f"Task {house.name!r} is declared with `youtility_tasks.task` and can neither be an errback nor take a group's results; "
            "instead, declare it with `shared_task`, or write the graph as a Workflow: `flow.fan_out` has `.results`."
        )
    named = (Parameter.POSITIONAL_OR_KEYWORD, Parameter.KEYWORD_ONLY)
    names = [each.name for each in house.signature.parameters.values() if each.kind in named]
    values = [*refs.values(), *args]
    if len(values) > len(names):
        raise NotOfCelery(
            f"Task {house.name!r} was given {len(values)} positional arguments, results of tasks before it included; right are at most "
            f"{len(names)}: {', '.join(names) or 'none'}. Use `.si(...)` for a call that takes no result."
        )
    return {**dict(zip(names, values, strict=False)), **kwargs}


def _known(headers: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in headers.items() if value is not None}
