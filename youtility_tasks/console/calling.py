"""A form made from a task's signature: a field an argument, of its type, with its default; and the call that was filled in."""

from __future__ import annotations

import inspect
import json
import re
import types
import typing
from collections.abc import Mapping
from typing import Any

from django import forms

from youtility_tasks import registry
from youtility_tasks.declaration import Task
from youtility_tasks.errors import EnqueueError, NaiveDatetime, WrongArguments
from youtility_tasks.secrets.marks import Mark

from .acting import Form
from .schedule_forms import Instant

BEFORE = "arg."
"""So that no argument takes the place of another field."""
_MORE, _WHOLE = "more", "whole"
_QUOTED = re.compile(r"'([^']{1,128})'|\b(\w{1,128})\b")
_ABSENT = object()


def annotation_of(task: Task, name: str) -> Any:
    """The type of an argument, without marks and `None`; Any if nobody can tell."""
    try:
        found = typing.get_type_hints(inspect.unwrap(task.func), include_extras=False).get(name, Any)
    except Exception:  # a name that only type checkers know
        found = {"int": int, "float": float, "bool": bool, "str": str}.get(
            str(task.signature.parameters[name].annotation), Any
        )
    if isinstance(found, types.UnionType) or typing.get_origin(found) is typing.Union:
        kinds = [each for each in typing.get_args(found) if each is not type(None)]
        found = kinds[0] if len(kinds) == 1 else Any
    return found


def _field(task: Task, parameter: inspect.Parameter) -> forms.Field:
    mark = task.marks.of(parameter.name)
    is_needed = parameter.default is parameter.empty
    kind = annotation_of(task, parameter.name)
    shown = "" if is_needed else f"Empty: {_plain(parameter.default)}."
    common: dict[str, Any] = {"label": parameter.name, "required": is_needed and kind is not str, "help_text": shown}
    if mark is not None:
        words = (
            "Secret: stored sealed and shown to nobody." if mark is Mark.SECRET else "About a person: stored sealed."
        )
        hidden = (
            forms.PasswordInput(attrs={"autocomplete": "new-password"})
            if mark is Mark.SECRET
            else forms.TextInput(attrs={"autocomplete": "off"})
        )
        return _Sealed(
            **{**common, "help_text": f"{words} {shown}".strip()},
            widget=hidden,
            strip=False,
            is_text=kind is str,
            max_length=100_000,
        )
    if typing.get_origin(kind) is typing.Literal:
        values = typing.get_args(kind)
        return forms.TypedChoiceField(
            **common, choices=[*([] if is_needed else [("", "as usual")]), *((str(each), str(each)) for each in values)],
            coerce=lambda said: next(each for each in values if str(each) == said), empty_value=None,
        )  # fmt: skip
    if kind is bool:
        choices = [*([] if is_needed else [("", "as usual")]), ("true", "yes"), ("false", "no")]
        return forms.TypedChoiceField(**common, choices=choices, coerce=lambda said: said == "true", empty_value=None)
    if kind is int:
        return forms.IntegerField(**common)
    if kind is float:
        return forms.FloatField(**common)
    if kind is str:
        return forms.CharField(**common, strip=False, max_length=100_000)
    json_help = "JSON." if kind is Any else f"JSON, {_type_name(kind)}."
    return _Json(
        **{**common, "help_text": f"{json_help} {shown}".strip()}, widget=forms.Textarea(attrs={"rows": 2, "spellcheck": "false", "class": "mono"})
    )  # fmt: skip


def _type_name(kind: Any) -> str:
    return kind.__name__ if isinstance(kind, type) and not typing.get_args(kind) else str(kind).replace("typing.", "")


def _plain(value: Any) -> str:
    try:
        return json.dumps(value, ensure_ascii=False)[:80]
    except (TypeError, ValueError):
        return repr(value)[:80]


class _Json(forms.JSONField):
    """JSON, and nothing where nothing is said."""

    def prepare_value(self, value: Any) -> Any:
        """Empty for None, which a text area would show as "null"."""
        return "" if value is None else super().prepare_value(value)


class _Sealed(forms.CharField):
    """A marked value: text as it is, anything else as JSON; never said back."""

    def __init__(self, *given: Any, is_text: bool, **named: Any) -> None:
        super().__init__(*given, **named)
        self.is_text = is_text

    def clean(self, value: Any) -> Any:
        """Raises ValidationError without the value in it."""
        said = super().clean(value)
        if self.is_text or said == "":
            return said
        try:
            return json.loads(said)
        except ValueError:
            raise forms.ValidationError("That is no JSON.") from None


class CallForm(Form):
    """The arguments of one task, and when and how urgently it runs; `task` in the data, or in what it says at first, says of which."""

    def __init__(self, data: Any = None, *, initial: Mapping[str, Any] | None = None, **named: Any) -> None:
        super().__init__(data, initial=dict(initial or {}), **named)
        said = (data.get("task") if data is not None else None) or (initial or {}).get("task", "")
        self.task = registry.find(str(said))
        own = dict(self.fields)
        self.fields.clear()
        if self.task is not None:
            self.fields.update(_arguments(self.task))
        self.fields.update(own)

    run_after = Instant(label="Not before (UTC)", required=False, help_text="Empty: now.")
    priority = forms.IntegerField(
        required=False, min_value=1, max_value=10, help_text="1 is most urgent; empty: the task's."
    )

    def call(self) -> tuple[list[Any], dict[str, Any]]:
        """By place and by name, as `submission.submit` takes them; what was left empty is left to the task's default."""
        assert self.task is not None  # noqa: S101 - for the type checker
        return call_of(self.task, self.cleaned_data)

    def place(self, error: Exception) -> str | None:
        """The argument that an error names."""
        if isinstance(error, NaiveDatetime):
            return "run_after"
        if not isinstance(error, EnqueueError):
            return None
        for quoted, bare in _QUOTED.findall(str(error)):
            name = f"{BEFORE}{quoted or bare}"
            if name in self.fields:
                return name
        return None


def _arguments(task: Task) -> dict[str, forms.Field]:
    if task.verbatim:
        text = forms.Textarea(attrs={"rows": 4, "spellcheck": "false", "class": "mono"})
        return {
            _WHOLE: _Json(
                label="Arguments", initial={"args": [], "kwargs": {}}, widget=text, help_text="By place and by name."
            )
        }
    found: dict[str, forms.Field] = {}
    for parameter in task.signature.parameters.values():
        if parameter.kind is parameter.VAR_KEYWORD:
            text = forms.Textarea(attrs={"rows": 2, "spellcheck": "false", "class": "mono"})
            found[_MORE] = _Json(
                label="More arguments", required=False, widget=text, help_text="By name, as a JSON object."
            )
        elif parameter.kind is not parameter.VAR_POSITIONAL:
            found[BEFORE + parameter.name] = _field(task, parameter)
    return found


def call_of(task: Task, given: Mapping[str, Any]) -> tuple[list[Any], dict[str, Any]]:
    """The call that was filled in. Raises WrongArguments for what is none."""
    if task.verbatim:
        whole = given.get(_WHOLE) or {}
        args, kwargs = (whole.get("args", []), whole.get("kwargs", {})) if isinstance(whole, dict) else (None, None)
        if not isinstance(args, list) or not isinstance(kwargs, dict):
            raise WrongArguments('This task takes {"args": [by place], "kwargs": {by name}}, either of them or both.')
        return args, kwargs
    more = given.get(_MORE)
    if more is not None and not isinstance(more, dict):
        raise WrongArguments(f"More arguments are {more!r:.80}; right is an object of arguments by name.")
    kwargs = dict(more or {})
    for name, parameter in task.signature.parameters.items():
        value = given.get(BEFORE + name, _ABSENT)
        if value is _ABSENT:
            continue
        if value in (None, "") and parameter.default is not parameter.empty:
            continue
        kwargs[name] = value
    return [], kwargs
