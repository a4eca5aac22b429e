"""Puts the questions of a set to occurrences, by one statement that copies them inside the database (R-SCH 5).

The rows that planning makes most, more than ten for each stop of a tour: as objects they took more than half of the
time of a run.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from django.db import connections, models, router

from task_catalog import entities
from youtility_tasks import Transient

PLACEHOLDER_ANSWER = "NONE"
"""What a tour's one question is answered with from the beginning: nobody asks it, its stops have the questions."""

_OF_PLACE = (
    "seqno",
    "question",
    "answertype",
    "min",
    "max",
    "alerton",
    "options",
    "isavpt",
    "avpttype",
    "ismandatory",
    "qset",
)
"""What a question row has from the question's place in its set (D9: all of it)."""
_OF_OCCURRENCE = ("cuser", "muser", "ctzoffset", "cdtz", "mdtz")


def ask(pairs: Sequence[tuple[int, int]]) -> int:
    """Insert a question row for each pair of an occurrence's id and the id of a question's place; how many.

    The NONE place stands for the placeholder of a tour. Every answer is null, but that of the placeholder. Raises
    Transient if a place is gone meanwhile.
    """
    if not pairs:
        return 0
    detail, connection = entities.Detail, connections[router.db_for_write(entities.Detail)]
    columns, values, parameters = _columns(detail, connection)
    quote = connection.ops.quote_name
    # Names of tables and columns come from the mapped models, values are parameters.
    statement = (
        f"INSERT INTO {quote(detail._meta.db_table)} ({', '.join(map(quote, columns))})"  # noqa: S608
        f" SELECT {', '.join(values)}"
        " FROM unnest(%s::bigint[], %s::bigint[]) WITH ORDINALITY AS pair (occurrence_id, place_id, nth)"
        f" JOIN {_table(entities.Occurrence, quote)} occurrence ON {_pk(entities.Occurrence, 'occurrence', quote)} = pair.occurrence_id"
        f" JOIN {_table(entities.QuestionSetBelonging, quote)} place ON {_pk(entities.QuestionSetBelonging, 'place', quote)} = pair.place_id"
        " ORDER BY pair.nth"
    )
    occurrence_ids, place_ids = (list(ids) for ids in zip(*pairs, strict=True))
    with connection.cursor() as cursor:
        cursor.execute(statement, [*parameters, occurrence_ids, place_ids])
        asked: int = cursor.rowcount
    if asked != len(pairs):
        raise Transient(f"{len(pairs) - asked} questions were taken out of their sets while they were being asked.")
    return asked


def _columns(detail: type[models.Model], connection: Any) -> tuple[list[str], list[str], list[Any]]:
    """The columns of a question row, what fills each, and the parameters of that; columns we do not know get their default."""
    columns: list[str] = []
    values: list[str] = []
    parameters: list[Any] = []
    for field in detail._meta.local_concrete_fields:
        value, given = _value(field, connection)
        if value:
            columns.append(str(field.column))
            values.append(value)
            parameters += given
    return columns, values, parameters


def _value(field: models.Field[Any, Any], connection: Any) -> tuple[str, list[Any]]:
    """What fills a column, with its parameters; "" for one that the database fills itself."""
    quote = connection.ops.quote_name
    if field.name == "jobneed":
        return _pk(entities.Occurrence, "occurrence", quote), []
    if field.name == "answer":
        return "CASE WHEN pair.place_id = %s THEN %s END", [entities.none_id(), PLACEHOLDER_ANSWER]
    for names, model, row in (
        (_OF_PLACE, entities.QuestionSetBelonging, "place"),
        (_OF_OCCURRENCE, entities.Occurrence, "occurrence"),
    ):
        if field.name in names:
            column = next(each.column for each in model._meta.concrete_fields if each.name == field.name)
            return f"{row}.{quote(str(column))}", []
    if field.primary_key or field.generated or field.has_db_default():
        return "", []
    if isinstance(field, models.UUIDField) and field.unique:
        return "gen_random_uuid()", []
    return "%s", [field.get_db_prep_save(field.get_default(), connection)]


def _table(model: type[models.Model], quote: Callable[[str], str]) -> str:
    return quote(model._meta.db_table)


def _pk(model: type[models.Model], row: str, quote: Callable[[str], str]) -> str:
    return f"{row}.{quote(str(model._meta.pk.column))}"
