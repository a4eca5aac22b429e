"""The real application's labels and model names, on tables of the names that it has; the facility's stand for them."""

from __future__ import annotations

from typing import Any

from django.apps import apps

from tests.catalog.adoption.clones import clone
from tests.catalog.adoption.real import LABELS, OF_LABEL


def models_of(label: str, module: str) -> dict[str, Any]:
    """The models of one of its applications."""
    from task_catalog.facility import models as facility  # noqa: F401 - when the registry can take them

    made = {}
    for name, table in OF_LABEL[label].items():
        original = apps.all_models["facility"][name.lower()]
        made[name] = clone(original, name=name, label=label, module=module, table=table, names=LABELS, managed=False)
    return made
