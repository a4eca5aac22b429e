"""A plugin for pytest: tests of the catalogue, written with the facility's models, run on those that are mapped.

`pytest -p tests.catalog.adoption.other_tables --ds=tests.catalog.adoption.renamed_settings tests/catalog/closing`. After each
test the facility's own tables must be as empty as before: nothing went past the mapping.
"""

from __future__ import annotations

import sys
from collections.abc import Generator
from typing import Any

import pytest
from django.apps import apps
from django.conf import settings
from django.db import connection, models

from task_catalog.conf import FACILITY_MODELS


def mapped() -> dict[type[models.Model], type[models.Model]]:
    """Each model of the facility, and the one that is mapped in its place."""
    chosen = settings.TASK_CATALOG["models"]
    return {
        apps.get_model(path): apps.get_model(chosen[logical])
        for logical, path in FACILITY_MODELS.items()
        if path.startswith("facility.")
    }


def pytest_collection_finish(session: pytest.Session) -> None:
    """The tests, and what makes their worlds, see the mapped models."""
    from task_catalog.facility import clients, sentinels

    instead = mapped()
    for module in list(sys.modules.values()):
        path = getattr(module, "__file__", None) or ""
        if "/tests/" in path or module in (clients, sentinels):
            for name, value in list(vars(module).items()):
                if isinstance(value, type) and value in instead:
                    setattr(module, name, instead[value])  # type: ignore[index]
    sentinels._NONE_ROWS = tuple((instead[model], columns) for model, columns in sentinels._NONE_ROWS)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, Any, Any]:
    """Fails a test after which one of the facility's tables holds a row, if these are other tables."""
    result = yield
    tables = {model._meta.db_table for model in mapped()} - {model._meta.db_table for model in mapped().values()}
    fixtures = getattr(item, "fixturenames", ())
    if tables and {"db", "transactional_db"} & set(fixtures):
        found = " UNION ALL ".join(f"SELECT '{table}' WHERE EXISTS (SELECT FROM {table})" for table in sorted(tables))
        with connection.cursor() as cursor:
            cursor.execute(found)
            assert cursor.fetchall() == [], "something went past the mapping"
    return result
