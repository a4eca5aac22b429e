"""A result for people: one table, a row a measure, a column a system."""

from __future__ import annotations

from typing import Any

from rich.table import Table

from .budget import PARTS
from .systems import OURS

ROWS = (
    ("enqueue, jobs/s", "enqueue_per_s", "median"),
    ("enqueue, p50 ms", "enqueue_ms", "p50"),
    ("enqueue, p99 ms", "enqueue_ms", "p99"),
    ("enqueue in a transaction, jobs/s", "enqueue_in_transaction_per_s", "median"),
    ("enqueue in a transaction, p50 ms", "enqueue_in_transaction_ms", "p50"),
    ("enqueue in a transaction, p99 ms", "enqueue_in_transaction_ms", "p99"),
    ("bulk enqueue, jobs/s", "bulk_per_s", "median"),
    ("drain, 1 worker, jobs/s", "drain_jobs_per_s", "median"),
    ("drain, 2 workers, jobs/s", "drain_2_workers_jobs_per_s", "median"),
    ("CPU s per 1,000 jobs, enqueue + drain", "cpu_s_per_1000", "median"),
    ("CPU s per 1,000 jobs, drain", "drain_cpu_s_per_1000", "median"),
    ("pickup, p50 ms", "pickup_ms", "p50"),
    ("pickup, p95 ms", "pickup_ms", "p95"),
    ("pickup, p99 ms", "pickup_ms", "p99"),
    ("start to first job, s", "startup_s", "median"),
    ("idle, statements/s", "idle", "statements_per_s"),
    ("idle, transactions/s", "idle", "transactions_per_s"),
    ("idle, CPU s in 30 s", "idle", "cpu_s_per_30s"),
    ("memory, largest process, MiB", "memory_mib", "largest"),
    ("memory, all processes, MiB", "memory_mib", "total"),
)


def cells(document: dict[str, Any]) -> list[tuple[str, list[str]]]:
    """The rows that were measured: a label, and a text for each system."""
    return [
        (label, [_cell(document[name].get(system), key) for system in document["systems"]])
        for label, name, key in ROWS
        if name in document
    ]


def tables(document: dict[str, Any]) -> list[Table | str]:
    """What the command prints."""
    main = Table("measure", *(each["title"] for each in document["systems"].values()))
    for label, texts in cells(document):
        main.add_row(label, *texts)
    page: list[Table | str] = [main] if main.row_count else []
    if document["ratios"]:
        page.append(_ratio_table(document))
    if "budget_us" in document:
        page.append(_budget_table(document))
    if "deep" in document:
        page.append(_deep_table(document["deep"]))
    versions = document["versions"]
    page.append(
        f"Medians of {document['sizes']['rounds']} interleaved rounds (least to most). Python {versions['python']}, "
        f"PostgreSQL {versions['postgres']}, {versions['cpu']}."
    )
    return page


def _ratio_table(document: dict[str, Any]) -> Table:
    """Ours divided by theirs; below 1 is better where less is better."""
    table = Table("ours / theirs", *(document["systems"][peer]["title"] for peer in document["ratios"]))
    for label, name, key in ROWS:
        path = name if key == "median" else f"{name}.{key}"
        found = [ratios.get(path) for ratios in document["ratios"].values()]
        if any(found):
            table.add_row(label, *(_cell(each, "median") for each in found))
    return table


def budget(document: dict[str, Any]) -> list[list[str]]:
    """Where the CPU time of a job goes: a part and its microseconds."""
    figures = document["budget_us"][OURS]
    return [[label, _cell(figures, part)] for part, label in PARTS.items()]


def _budget_table(document: dict[str, Any]) -> Table:
    table = Table("CPU of a drained job, one worker", "us")
    for row in budget(document):
        table.add_row(*row)
    return table


def _deep_table(depths: dict[str, Any]) -> Table:
    table = Table("beside the backlog", "rows", "jobs/s", "of empty")
    for name, each in depths.items():
        table.add_row(name, f"{each['rows']:,}", f"{each['jobs_per_s']:,.0f}", f"{each.get('ratio', 1):.2f}")
    return table


def _cell(figure: dict[str, Any] | None, key: str) -> str:
    if not figure or key not in figure:
        return "-"
    text = number(figure[key])
    around = figure if key == "median" else figure.get("spread", {}).get(key)
    return (
        f"{text} ({number(around['min'])} to {number(around['max'])})"
        if around and around["min"] != around["max"]
        else text
    )


def number(value: float) -> str:
    """Three digits or all before the point."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
