"""Which of an application's models or fields was meant: for the hints of `checks.py`."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from typing import Any

from django.db import models

from .expected_fields import ENTITIES, KINDS, Expected

_ALIKE = 0.55
"""Below this two names have little in common."""


def field_like(
    model: type[models.Model], logical: str, name: str, expected: Expected, target: str
) -> models.Field[Any, Any] | None:
    """The field that stands for a missing one: by its column, its name, or because no other of its kind is left over.

    `target` is the label of the model that a reference must point to.
    """
    left = [
        field
        for field in model._meta.concrete_fields
        if field.name not in ENTITIES[logical] and not field.primary_key and _fits(field, expected, target)
    ]
    by_column = [field for field in left if name in (field.column, str(field.column).removesuffix("_id"))]
    if by_column:
        return by_column[0]
    best = max(left, key=lambda field: _likeness(name, field), default=None)
    if best is not None and (_likeness(name, best) >= _ALIKE or (len(left) == 1 and expected.kind != "text")):
        return best
    return None


def model_like(
    logical: str, installed: Iterable[type[models.Model]], not_: Iterable[str] = ()
) -> tuple[str, int] | None:
    """The model that has most of the fields that a table must have, and how many; None if none has half of them."""
    wanted = ENTITIES[logical]
    taken = {label.lower() for label in not_}
    counted = [
        (fields_of(model, wanted), model._meta.label) for model in installed if model._meta.label_lower not in taken
    ]
    count, label = max(counted, default=(0, ""))
    return (label, count) if count * 2 >= len(wanted) and count > 1 else None


def fields_of(model: type[models.Model], wanted: Mapping[str, Expected]) -> int:
    """How many of the wanted fields a model has."""
    names = {field.name for field in model._meta.concrete_fields}
    return sum(name in names or name == "id" for name in wanted)


def line_for(name: str, field: models.Field[Any, Any], target: str) -> str:
    """The line of a model by which a column gets the name that is expected."""
    kind = type(field).__name__
    if field.is_relation:
        column = str(field.column)
        return f'{name} = models.{kind}("{target}", models.DO_NOTHING, related_name="+", db_column="{column}")'
    more = f"max_length={field.max_length}, " if getattr(field, "max_length", None) else ""
    where = "models" if type(field).__module__.startswith("django.db.models") else type(field).__module__
    return f'{name} = {where}.{kind}({more}db_column="{field.column}")'


def _fits(field: models.Field[Any, Any], expected: Expected, target: str) -> bool:
    if expected.kind == "place":
        return not field.is_relation
    if expected.kind == "reference":
        related = getattr(getattr(field, "related_model", None), "_meta", None)
        return related is not None and related.label_lower == target.lower()
    return field.get_internal_type() in KINDS[expected.kind]


def _likeness(name: str, field: models.Field[Any, Any]) -> float:
    given = {field.name, str(field.column).removesuffix("_id")}
    return max(difflib.SequenceMatcher(None, _plain(name), _plain(each)).ratio() for each in given)


def _plain(name: str) -> str:
    return name.replace("_", "").lower()
