"""`Workflow`: steps and edges as people write them."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Literal

from youtility_tasks import enqueue, payload, registry
from youtility_tasks.conf import settings
from youtility_tasks.declaration import Task
from youtility_tasks.errors import NotYetBuilt, UnknownStep, WrongArguments, WrongOption, WrongWorkflow

from . import graph, start
from .graph import FAILURE, SUCCESS, EdgeKind, Join, StepKind
from .references import Condition, Kind, Reference

if TYPE_CHECKING:
    from .runs import Run

LONGEST_NAME = 200
MOST_STEPS = 100_000
"""Of one run, with those of workflows inside it, and items of one fan-out: what one statement writes within its deadline."""
MOST_LEVELS = 30
"""Workflows one inside another."""

Call = Task | tuple[Task, Mapping[str, Any]]
"""A task without arguments, or with these."""


@dataclass(frozen=True, eq=False, slots=True)
class Step:
    """One step of a workflow; what the next ones name in `after`, and take results from."""

    flow: Workflow = field(repr=False)
    name: str
    kind: StepKind
    after: Mapping[str, EdgeKind]
    join: Join = Join.ALL
    task: Task | None = None
    arguments: Mapping[str, Any] = field(default_factory=dict)
    """As given: values and references. Of a fan-out: what its items share."""
    over: Reference | Sequence[Mapping[str, Any]] | None = None
    """Of a fan-out: the items' own arguments, or where their list will be."""
    item: str | None = None
    """Of a fan-out over a reference: the argument that each element becomes; None: elements are objects of arguments."""
    sub: Workflow | None = None
    returns: str | None = None
    wait: timedelta | None = None
    """Between its release and its start."""
    only_if: Condition | None = None
    timeout: timedelta | None = None
    """Of a signal: it fails when nobody has sent it by then."""

    @property
    def result(self) -> Reference:
        """What its task will have returned; of a signal its payload, of a sub-workflow what the step `returns` returned."""
        return Reference(Kind.RESULT, self.name, owner=self.flow)

    @property
    def results(self) -> Reference:
        """Of a fan-out: the results of its items, in their order; None for one that did not succeed."""
        if self.kind is not StepKind.FAN_OUT:
            raise WrongWorkflow(f"Step {self.name!r} is no fan-out and has one result: `.result`.")
        return Reference(Kind.RESULTS, self.name, owner=self.flow)

    @property
    def status(self) -> Reference:
        """How it will have ended: "succeeded", "failed", "cancelled", "aborted" or "skipped"."""
        return Reference(Kind.STATUS, self.name, owner=self.flow)

    @property
    def error(self) -> Reference:
        """{"class": ..., "message": ..., "traceback": ...} if it will have failed, else None."""
        return Reference(Kind.ERROR, self.name, owner=self.flow)

    def references(self) -> list[Reference]:
        """What it refers to."""
        found = [each for each in self.arguments.values() if isinstance(each, Reference)]
        found += [self.over] if isinstance(self.over, Reference) else []
        return found if self.only_if is None else [*found, self.only_if.reference]


After = Step | Sequence[Step] | Mapping[Step, EdgeKind] | None


class Workflow:
    """A graph of steps, started as one: `flow = Workflow("report on demand")`, then `flow.step(...)`, then `flow.start()`.

    Everything is checked as it is said, and once more at `start()`; nothing is written before.
    """

    def __init__(self, name: str, *, deadline: timedelta | None = None) -> None:
        """`deadline`: so long after its start what has not ended is cancelled, and the run has failed."""
        self.name = _name("A workflow's name", name)
        self.deadline = _span(f"Workflow {name!r}: deadline", deadline)
        self.steps: dict[str, Step] = {}
        self._numbers: dict[str, int] = {}
        """Name of a task -> the last number that a step of it has tried: none below is free."""
        self.template: tuple[str, int] | None = None
        """Name and version of the template that it was made from."""

    def __repr__(self) -> str:
        return f"<Workflow {self.name!r}: {len(self.steps)} steps>"

    @property
    def context(self) -> Reference:
        """What `start(context=...)` will be given: `flow.context["ticket"]`. A sub-workflow has that of the outermost."""
        return Reference(Kind.CONTEXT, owner=self)

    def step(
        self,
        task: Task,
        *,
        name: str | None = None,
        after: After = None,
        join: Literal["all", "any"] = "all",
        when: Condition | None = None,
        wait: timedelta | None = None,
        args: Mapping[str, Any] | None = None,
        **kwargs: Any,
    ) -> Step:
        """A job of a task, enqueued once its edges are satisfied (`join`: all of them, or any).

        `after`: a step or several (on success), or {step: SUCCESS | COMPLETION | FAILURE}. `wait`: starts so long after
        its release. `when`: a condition (`made.result["status"].equals(201)`); if it does not hold as the step's turn comes, the
        step is skipped. Arguments are values or references (`made.result["id"]`); `args` is for those whose names are taken
        here. Raises the EnqueueError that `task.enqueue` would raise, or a WrongWorkflow.
        """
        step_name = self._new_name(name, task)
        arguments = {**kwargs, **self._named(step_name, args)}
        self._check_call(step_name, task, arguments)
        return self._add(
            step_name, StepKind.TASK, after, join, task=task, arguments=arguments, only_if=self._condition(step_name, when),
            wait=_span(f"Step {step_name!r}: wait", wait),
        )  # fmt: skip

    def chain(self, *calls: Call, after: After = None) -> list[Step]:
        """Steps one behind the other, each on the success of the one before. A call is a task, or (task, {arguments})."""
        made: list[Step] = []
        for task, arguments in map(_call, calls):
            made.append(self.step(task, after=made[-1] if made else after, args=arguments))
        return made

    def group(self, *calls: Call, after: After = None) -> list[Step]:
        """Steps side by side; name the list in a later step's `after` to wait for all of them."""
        return [self.step(task, after=after, args=arguments) for task, arguments in map(_call, calls)]

    def fan_out(
        self,
        task: Task,
        over: Iterable[Any] | Reference,
        *,
        item: str | None = None,
        name: str | None = None,
        after: After = None,
        join: Literal["all", "any"] = "all",
        when: Condition | None = None,
        args: Mapping[str, Any] | None = None,
        **kwargs: Any,
    ) -> Step:
        """One job for each element of a list, or of a list that is a step's result or in the run's context.

        `item`: the argument that an element becomes; without it each element is an object of arguments. What else is given all
        items share. The step succeeds when all items have, and fails when the last has ended and one did not succeed;
        `step.results` are theirs, in order. A result that is no list fails the step.
        """
        step_name = self._new_name(name, task)
        shared = {**kwargs, **self._named(step_name, args)}
        own: Reference | list[Mapping[str, Any]]
        if item is not None and not (isinstance(item, str) and item):
            raise WrongWorkflow(
                f"Workflow {self.name!r}: {step_name!r} has item={item!r:.80}; right is the argument's name, or none."
            )
        if isinstance(over, Reference):
            own = over
            self._check_call(step_name, task, {**shared, **({item: over} if item else {})}, partial=item is None)
        else:
            own = [_own(step_name, n, element, item) for n, element in enumerate(self._elements(step_name, over))]
            for n, each in enumerate(own):
                try:
                    self._check_call(step_name, task, {**shared, **each})
                except Exception as error:
                    error.add_note(f"It was element {n} of the fan-out {step_name!r}.")
                    raise
        if callable(task.lock) and isinstance(over, Reference):
            raise WrongWorkflow(
                f"Workflow {self.name!r}: step {step_name!r} cannot fan out over a result: task {task.name!r} makes its lock from "
                "its arguments, which nobody knows here. Fan out over a list, or enqueue the items in a task."
            )
        return self._add(
            step_name, StepKind.FAN_OUT, after, join, task=task, arguments=shared, over=own, item=item,
            only_if=self._condition(step_name, when),
        )  # fmt: skip

    def sub(
        self,
        workflow: Workflow,
        *,
        name: str | None = None,
        after: After = None,
        join: Literal["all", "any"] = "all",
        when: Condition | None = None,
        returns: Step | str | None = None,
    ) -> Step:
        """Another workflow as a step: it begins when this is released, and this ends with it, succeeded or failed.

        `returns`: the inner step whose result is this step's result.
        """
        if not isinstance(workflow, Workflow):
            raise WrongWorkflow(f"Workflow {self.name!r}: `sub` takes a Workflow; given: {workflow!r:.100}.")
        inner = returns.name if isinstance(returns, Step) else returns
        if not isinstance(inner, str | None):
            raise WrongWorkflow(
                f"Workflow {self.name!r}: returns is {inner!r:.80}; right is a step of {workflow.name!r}."
            )
        if inner is not None and inner not in workflow.steps:
            raise UnknownStep(workflow.name, "returns", inner, workflow.steps)
        if self in workflow.all_below():
            raise WrongWorkflow(f"Workflow {self.name!r} cannot be a step of itself.")
        step_name = self._new_name(name, workflow)
        return self._add(
            step_name, StepKind.SUB, after, join, sub=workflow, returns=inner, only_if=self._condition(step_name, when)
        )

    def signal(
        self,
        name: str,
        *,
        after: After = None,
        join: Literal["all", "any"] = "all",
        when: Condition | None = None,
        timeout: timedelta | None = None,
    ) -> Step:
        """A step that succeeds when somebody sends it: `run.signal(name, payload)`, `workflow signal`, or the run's page.

        One that comes before the step's turn is kept. `timeout`: the step fails so long after its turn has come.
        """
        step_name = self._new_name(name, None)
        return self._add(
            step_name, StepKind.SIGNAL, after, join, timeout=_span(f"Signal {name!r}: timeout", timeout),
            only_if=self._condition(step_name, when),
        )  # fmt: skip

    def all_below(self) -> list[Workflow]:
        """This one and all that are steps in it, however deep; each once."""
        found = {self: None}
        for each in (to_do := [self]):  # it grows while it is walked
            new = [inner for inner in each._inner() if inner not in found]
            found.update(dict.fromkeys(new))
            to_do += dict.fromkeys(new)
        return list(found)

    def check(self) -> list[str]:
        """The names of its steps, each behind all that it waits for. Raises WrongWorkflow for a graph that cannot be meant."""
        self._check_size()
        orders = [each._check_graph() for each in self.all_below()]
        return orders[0]

    def _inner(self) -> list[Workflow]:
        return [each.sub for each in self.steps.values() if each.sub is not None]

    def _check_size(self) -> None:
        """Before anybody writes it down: one that is a step of several others counts in each of them."""
        level, steps = Counter([self]), 0
        for _ in range(MOST_LEVELS):
            steps += sum(times * len(each.steps) for each, times in level.items())
            if steps > MOST_STEPS:
                raise WrongWorkflow(
                    f"Workflow {self.name!r} has {steps} steps or more; right are at most {MOST_STEPS}. Fan out over a list instead."
                )
            below: Counter[Workflow] = Counter()
            for each, times in level.items():
                for inner in each._inner():
                    below[inner] += times
            if not below:
                return
            level = below
        raise WrongWorkflow(
            f"Workflow {self.name!r} has more than {MOST_LEVELS} workflows one inside another; right are at most {MOST_LEVELS}."
        )

    def _check_graph(self) -> list[str]:
        for step in self.steps.values():
            for reference in step.references():
                if reference.owner is not self:
                    whose = reference.owner.name if isinstance(reference.owner, Workflow) else "no workflow"
                    raise UnknownStep(self.name, step.name, f"{reference.step or 'context'} of {whose}", self.steps)
                if reference.kind is Kind.RESULTS and self.steps[str(reference.step)].kind is not StepKind.FAN_OUT:
                    raise WrongWorkflow(f"Workflow {self.name!r}: {reference.step!r} is no fan-out: it has one result.")
        nodes = {
            each.name: graph.Node(each.name, each.after, each.join, each.references()) for each in self.steps.values()
        }
        return graph.check(self.name, nodes)

    def start(self, context: Mapping[str, Any] | None = None, *, key: str | None = None) -> Run:
        """Write the run and enqueue its first steps, in the caller's transaction and for the current tenant.

        `context`: JSON that each step may refer to. `key`: there is one run of this name and key within the tenant; a second start
        finds it, whatever became of it, and writes nothing (`Run.by_key` finds it, too). Raises WrongWorkflow, NoTenant, UnknownTenant; then nothing was written.
        """
        return start.start(self, context or {}, key)

    @staticmethod
    def start_many(runs: Sequence[tuple[Workflow, Mapping[str, Any] | None, str | None]]) -> list[Run]:
        """`start` for several, each with its context and key, with one statement: all of them or, if one is wrong, none."""
        return start.start_many(runs)

    # -- how a step comes in

    def _add(self, name: str, kind: StepKind, after: After, join: str, **more: Any) -> Step:
        try:
            joined = Join(join)
        except ValueError:
            raise WrongWorkflow(
                f"Workflow {self.name!r}: step {name!r} has join={join!r}; right is 'all' or 'any'."
            ) from None
        step = Step(self, name, kind, self._edges(name, after), joined, **more)
        self.steps[name] = step
        return step

    def _named(self, step: str, args: object) -> Mapping[str, Any]:
        if not isinstance(args, Mapping | None):
            raise WrongWorkflow(
                f"Workflow {self.name!r}: step {step!r} has args={args!r:.80}; right is a dict of arguments by name."
            )
        return args or {}

    def _elements(self, step: str, over: Iterable[Any]) -> list[Any]:
        if isinstance(over, str | bytes | Mapping) or not isinstance(over, Iterable):
            raise WrongWorkflow(
                f"Workflow {self.name!r}: {step!r} fans out over {payload.safe(repr, over):.80}; right is a list, or a step's result."
            )
        found = list(itertools.islice(over, MOST_STEPS + 1))
        if len(found) > MOST_STEPS:
            raise WrongWorkflow(
                f"Workflow {self.name!r}: {step!r} fans out over more than {MOST_STEPS} elements; right are at most so many."
            )
        return found

    def _condition(self, step: str, when: Condition | None) -> Condition | None:
        if when is not None and not isinstance(when, Condition):
            raise WrongWorkflow(
                f"Workflow {self.name!r}: step {step!r} has when={when!r:.80}; right is a condition, as made.result['a'].equals(1)."
            )
        if when is not None:
            limits = settings()
            payload.check(
                f"Step {step!r}",
                when.value,
                max_bytes=limits.max_args_bytes,
                max_depth=limits.max_args_depth,
                root="when",
            )
        return when

    def _edges(self, name: str, after: After) -> dict[str, EdgeKind]:
        if after is None:
            return {}
        if isinstance(after, Step):
            after = [after]
        if not isinstance(after, Iterable):
            raise WrongWorkflow(
                f"Workflow {self.name!r}: step {name!r} comes after {after!r:.80}; right is a step, several, or {{step: kind}}."
            )
        given = after.items() if isinstance(after, Mapping) else [(each, SUCCESS) for each in after]
        edges: dict[str, EdgeKind] = {}
        for parent, kind in given:
            if not isinstance(parent, Step):
                raise WrongWorkflow(
                    f"Workflow {self.name!r}: step {name!r} comes after {parent!r:.80}; right is a step, as `flow.step` returns it."
                )
            if parent.flow is not self:
                raise UnknownStep(self.name, name, f"{parent.name} of {parent.flow.name}", self.steps)
            if kind not in list(EdgeKind):
                raise WrongWorkflow(
                    f"Workflow {self.name!r}: step {name!r} comes after {parent.name!r} on {kind!r}; right is SUCCESS, COMPLETION or "
                    f"{FAILURE.name}."
                )
            edges[parent.name] = EdgeKind(kind)
        return edges

    def _new_name(self, given: str | None, named_after: Task | Workflow | None) -> str:
        if given is not None:
            name = _name(f"Workflow {self.name!r}: a step's name", given)
            if name in self.steps:
                raise WrongWorkflow(f"Workflow {self.name!r} has two steps called {name!r}. Give one another `name=`.")
            return name
        if not isinstance(named_after, Task | Workflow):
            raise WrongWorkflow(f"Workflow {self.name!r}: a step is made of a task; given: {named_after!r:.100}.")
        base = named_after.name
        n = self._numbers.get(base, 1)
        free = base if n == 1 else f"{base} {n}"
        while free in self.steps:
            n += 1
            free = f"{base} {n}"
        self._numbers[base] = n
        return free

    def _check_call(self, step: str, task: Task, arguments: Mapping[str, Any], *, partial: bool = False) -> None:
        """`partial`: more arguments will come, from a list that is not known yet."""
        if not isinstance(task, Task):
            raise WrongWorkflow(f"Workflow {self.name!r}: step {step!r} is made of a task; given: {task!r:.100}.")
        if not task.is_built:
            raise NotYetBuilt(task.name)
        if task.unique is not None or task.debounce is not None:
            raise WrongOption(
                f"Workflow {self.name!r}: step {step!r} cannot have a unique key, nor be debounced: each step has a job of its own. "
                f"Where task {task.name!r} is declared so, the step takes `task.using(unique=False)`."
            )
        if task.marks:
            raise WrongOption(
                f"Workflow {self.name!r}: task {task.name!r} has arguments marked Secret or Pii, and a step's are kept in clear "
                "until its turn has come. Pass an id, and load the value in the task."
            )
        if registry.resolve(task.name) is None:
            raise WrongWorkflow(f"Workflow {self.name!r}: task {task.name!r} of step {step!r} is not registered here.")
        later = [key for key, value in arguments.items() if isinstance(value, Reference)]
        for key in later:
            reference = arguments[key]
            if reference.has_default:
                limits = settings()
                payload.check(
                    f"Step {step!r}", reference.default, max_bytes=limits.max_args_bytes, max_depth=limits.max_args_depth,
                    root=f"the default of {key}",
                )  # fmt: skip
        if partial:
            known = task.signature.parameters
            takes_any = any(each.kind is each.VAR_KEYWORD for each in known.values())
            strange = [] if takes_any else sorted(arguments.keys() - known.keys())
            if strange:
                raise WrongArguments(
                    f"Task {task.name!r} takes no argument {strange[0]!r}; right is {task.name}{task.signature}."
                )
            return
        enqueue.check_shape(task, {key: value for key, value in arguments.items() if key not in later}, later)


def _call(call: Call) -> tuple[Task, Mapping[str, Any]]:
    match call:
        case (task, arguments):
            return task, arguments
        case tuple():
            raise WrongWorkflow(f"A call is a task, or (task, {{arguments}}); given: {call!r:.200}.")
    return call, {}


def _own(step: str, n: int, element: Any, item: str | None) -> Mapping[str, Any]:
    if item is not None:
        return {item: element}
    if not isinstance(element, Mapping):
        raise WrongWorkflow(
            f"Fan-out {step!r}: element {n} is {payload.safe(repr, element):.80}; right is an object of arguments, or name the "
            "argument that each element becomes: `item=...`."
        )
    return element


def _name(what: str, given: object) -> str:
    if not isinstance(given, str) or not 0 < len(given) <= LONGEST_NAME or not given.isprintable():
        raise WrongWorkflow(f"{what} has 1 to {LONGEST_NAME} printable characters; given: {given!r:.200}.")
    return given


def _span(what: str, given: timedelta | None) -> timedelta | None:
    if given is not None and (not isinstance(given, timedelta) or not timedelta(0) < given <= timedelta(days=3660)):
        raise WrongWorkflow(f"{what} is {given!r}; right is a timedelta of more than nothing and at most ten years.")
    return given
