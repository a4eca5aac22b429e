"""Makes another application's models out of the facility's: other names, tables, columns and keys, the same fields."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from django.db import models


def clone(
    original: type[models.Model],
    *,
    name: str,
    label: str,
    module: str,
    table: str,
    names: Mapping[str, Any],
    column: Callable[[str], str] = str,
    key: str = "id",
    more: Mapping[str, models.Field[Any, Any]] | None = None,
    managed: bool = True,
) -> type[models.Model]:
    """A model with the fields of `original`; `names`: what it points to instead, models or their labels."""
    body: dict[str, Any] = {"__module__": module, "__str__": lambda self: f"{name} {self.pk}"}
    for field in original._meta.local_fields:
        if isinstance(field, models.ForeignKey):  # its `deconstruct` wants all models to be there
            args = [names[field.remote_field.model._meta.object_name], field.remote_field.on_delete]
            options = {"null": field.null, "db_index": field.db_index, "related_name": "+"}
        else:
            _, _, args, options = field.deconstruct()
        options["db_column"] = column(field.column)
        body[key if field.primary_key else field.name] = type(field)(*args, **options)
    body.update(more or {})
    constraints = []
    for constraint in original._meta.constraints:
        own = constraint.clone()
        own.name = f"{label}_{constraint.name}"[:60]
        constraints.append(own)
    facts = {"app_label": label, "db_table": table, "constraints": constraints if managed else [], "managed": managed}
    return type(name, (models.Model,), {**body, "Meta": type("Meta", (), facts)})
