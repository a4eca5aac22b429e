"""The catalogue reaches tables by the mapping alone: no import, no SQL, no query names what an application may call otherwise."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.apps import apps
from django.db.models import Field

import task_catalog
from task_catalog.expected_fields import ENTITIES

HOME = Path(task_catalog.__file__).parent
OF_THE_FACILITY = ("facility", "company_day", "migrations", "management")
SOURCES = sorted(
    path for path in HOME.rglob("*.py") if not set(path.relative_to(HOME).parts[:-1]) & set(OF_THE_FACILITY[:3])
)
LOOKUPS = {*Field.get_lookups(), "isnull", "date", "contains", "overlap", "iregex"}
BY_NAME = {"filter", "exclude", "get", "update", "create", "get_or_create", "update_or_create"}
BY_TEXT = {"values", "values_list", "only", "defer", "order_by", "select_related", "prefetch_related", "distinct"}
NAMING = {"annotate", "alias", "values", "values_list"}


def names_of(tables: bool) -> str:
    """A pattern for any table of the facility."""
    models = apps.get_app_config("facility").get_models()
    return "|".join(sorted((model._meta.db_table for model in models), key=len, reverse=True)) if tables else ""


TABLE = re.compile(rf"\b(?:FROM|JOIN|INTO|UPDATE|TRUNCATE|TABLE)\s+(?:{names_of(True)})\b")
KEY = re.compile(r"\b[a-z]\w*\.id\b")
SQL = re.compile(r"\b(?:SELECT|INSERT|UPDATE|DELETE|JOIN|WHERE)\b")


def mistakes(source: str) -> list[str]:
    """What in a module goes past the mapping, as "line: what"."""
    tree = ast.parse(source)
    return sorted({*_imports(tree), *_statements(tree), *_queries(tree)})


def _imports(tree: ast.AST) -> Iterator[str]:
    for_types = {
        inside
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
        for inside in ast.walk(node)
    }
    for node in ast.walk(tree):
        if node in for_types or not isinstance(node, ast.Import | ast.ImportFrom):
            continue
        said = ast.unparse(node)
        if "facility" in said:
            yield f"{node.lineno}: {said}"


def _statements(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant | ast.JoinedStr):
            text = ast.unparse(node)
            if TABLE.search(text) or (SQL.search(text) and KEY.search(text)):
                yield f"{node.lineno}: {text[:80]}"


def _queries(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
            continue
        calls = list(_chain(node))
        entity = _entity(calls[-1].func)
        if entity is None:
            continue
        own = {each.arg for call in calls if call.func.attr in NAMING for each in call.keywords}
        for call in calls:
            for path in _paths(call):
                if path.split("__")[0] not in own and not _is_expected(entity, path):
                    yield f"{call.lineno}: {entity}.{path}"


def _chain(node: ast.Call) -> Iterator[ast.Call]:
    """The calls of `entities.X.objects.a().b()`, from the last to the first."""
    current: ast.AST = node
    while isinstance(current, ast.Call) and isinstance(current.func, ast.Attribute):
        yield current
        current = current.func.value


def _entity(function: ast.expr) -> str | None:
    found = re.match(r"entities\.(\w+)\.objects\.", ast.unparse(function))
    return found[1] if found and found[1] in ENTITIES else None


def _paths(call: ast.Call) -> Iterator[str]:
    name = call.func.attr if isinstance(call.func, ast.Attribute) else ""
    if name in BY_NAME:
        yield from (each.arg for each in call.keywords if each.arg and each.arg != "defaults")
    if name in BY_TEXT:
        texts = [each.value for each in call.args if isinstance(each, ast.Constant) and isinstance(each.value, str)]
        yield from (text.lstrip("-") for text in texts)


def _is_expected(entity: str, path: str) -> bool:
    at: str | None = entity
    for n, part in enumerate(path.split("__")):
        fields = ENTITIES.get(at or "", {})
        if at is not None and part in fields and part != "id":
            at = fields[part].target or None
            continue
        if part == "pk" or (at is not None and part.endswith("_id") and part.removesuffix("_id") in fields):
            at = None
            continue
        # A lookup, or a key of a JSON column.
        return n > 0 and (at is None or part in LOOKUPS)
    return True


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(HOME)))
def test_nothing_goes_past_the_mapping(path: Path) -> None:
    assert mistakes(path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    ("source", "what"),
    [
        ("from task_catalog.facility.models import Job", "from task_catalog.facility"),
        ("import task_catalog.facility.sentinels", "import task_catalog.facility"),
        ("cursor.execute('SELECT 1 FROM jobneed')", "FROM jobneed"),
        ("cursor.execute(f'DELETE FROM ticket WHERE x = {y}')", "FROM ticket"),
        ("text = f'SELECT 1 FROM {table} occurrence WHERE occurrence.id = 3'", "occurrence.id"),
        ("entities.Plan.objects.filter(colour='red')", "Plan.colour"),
        ("entities.Plan.objects.filter(pk=3).values_list('id')", "Plan.id"),
        ("entities.Occurrence.objects.filter(job__id__in=[3])", "Occurrence.job__id__in"),
        ("entities.Ticket.objects.exclude(bu__client__nam='x').order_by('-pk')", "Ticket.bu__client__nam"),
        ("entities.Detail.objects.select_related('jobneed__jobs')", "Detail.jobneed__jobs"),
    ],
)
def test_what_goes_past_the_mapping_is_found(source: str, what: str) -> None:
    assert any(what in each for each in mistakes(source)), mistakes(source)


def test_what_goes_by_it_is_left_alone() -> None:
    assert (
        mistakes(
            "if TYPE_CHECKING:\n    from .facility.models import Job\n"
            "entities.Occurrence.objects.filter(job__client_id=3, other_info__isdynamic=True, plandatetime__lt=now)"
            ".annotate(n=Count('pk')).order_by('-n', 'pk').values('job__pk', 'ticket__ticketcategory__tacode')"
        )
        == []
    )
