"""Every model of the facility under another name, in another table, with other columns and another key."""

from __future__ import annotations

from django.apps import apps
from django.db import models

from task_catalog.facility import models as facility  # noqa: F401 - loaded before these are made of them
from tests.catalog.adoption.clones import clone

from .names import NAMES

for _original in list(apps.all_models["facility"].values()):
    _name = NAMES[_original.__name__]
    globals()[_name] = clone(
        _original,
        name=_name,
        label="estates",
        module=__name__,
        table=f"estate_{_name.lower()}",
        names={each: f"estates.{own}" for each, own in NAMES.items()},
        column=lambda column: f"C {column}",
        key="number",
        more={"colour": models.CharField(max_length=20, default="blue", db_column="Colour")},
    )
