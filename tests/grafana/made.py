"""What the command makes, and the names in it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import promql_parser
import yaml

ROOT = Path(__file__).resolve().parents[2]
GRAFANA = ROOT / "grafana"
HEARTBEAT = "task_every_min"

Rule = dict[str, Any]


def rules() -> list[Rule]:
    """As committed."""
    groups = yaml.safe_load((GRAFANA / "rules" / "youtility_tasks.yml").read_text())["groups"]
    return [rule for group in groups for rule in group["rules"]]


def alerts() -> list[Rule]:
    return [each for each in rules() if "alert" in each]


def panels() -> Iterator[tuple[str, Any]]:
    """(board's file, panel)."""
    for file in sorted((GRAFANA / "boards").glob("*.json")):
        for panel in json.loads(file.read_text())["panels"]:
            yield file.stem, panel


def queries() -> list[tuple[str, str]]:
    """(where, PromQL) of every panel and rule; a board's choices stand for all of them."""
    found = [(f"{rule.get('alert') or rule['record']}", rule["expr"]) for rule in rules()]
    for board, panel in panels():
        found += [(f"{board}: {panel['title']}", re.sub(r"\$\w+", ".*", each["expr"])) for each in panel["targets"]]
    return found


def used(expression: str) -> Iterator[tuple[str, set[str]]]:
    """(metric, labels that the expression expects of it), for each selector of it."""
    yield from _walk(promql_parser.parse(expression), set())


def _walk(part: Any, wanted: set[str]) -> Iterator[tuple[str, set[str]]]:
    match part:
        case promql_parser.VectorSelector():
            yield part.name, wanted | {each.name for each in part.matchers.matchers}
        case promql_parser.MatrixSelector():
            yield from _walk(part.vector_selector, wanted)
        case promql_parser.AggregateExpr():
            by = part.modifier
            named = set(by.labels) if by is not None and by.type == promql_parser.AggModifierType.By else set()
            yield from _walk(part.expr, wanted | named)
        case promql_parser.BinaryExpr():
            yield from _walk(part.lhs, wanted)
            yield from _walk(part.rhs, wanted)
        case promql_parser.Call():
            for each in part.args:
                yield from _walk(each, wanted)
        case promql_parser.ParenExpr() | promql_parser.SubqueryExpr() | promql_parser.UnaryExpr():
            yield from _walk(part.expr, wanted)
        case promql_parser.NumberLiteral():
            return
        case _:
            raise AssertionError(f"{part!r} ({type(part).__name__}) is not looked into")
