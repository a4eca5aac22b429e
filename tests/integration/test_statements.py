"""What holds of each statement of `sql/`, whoever runs it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from django.db import connection

import youtility_tasks

pytestmark = pytest.mark.django_db

STATEMENTS = sorted(
    each
    for each in (Path(youtility_tasks.__file__).parent / "sql").glob("*.sql")
    if not each.read_text().startswith("SET ")  # which takes no values, and is not to be prepared
)


def with_places(statement: str) -> str:
    """As the server sees it when values are bound there: `%(name)s` is `$1`."""
    names: list[str] = []

    def place(found: re.Match[str]) -> str:
        if found[1] not in names:
            names.append(found[1])
        return f"${names.index(found[1]) + 1}"

    return re.sub(r"%\((\w+)\)s", place, statement).replace("%%", "%").strip().rstrip(";")


@pytest.mark.parametrize("file", STATEMENTS, ids=lambda file: file.stem)
def test_the_server_knows_the_types_of_values_that_it_binds(file: Path) -> None:
    """Under `roles` it binds them in the web and in tasks; a value whose type it must guess twice is an error."""
    with connection.cursor() as cursor:
        cursor.execute("PREPARE this AS " + with_places(file.read_text()))
        cursor.execute("DEALLOCATE this")
