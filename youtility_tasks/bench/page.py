"""The performance page: charts and tables made from one stored result, so that it holds measured figures only."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from . import table
from .charts import Bar, bar_chart
from .systems import OURS

_CHARTS = (
    ("drain", "Drain, one worker", "jobs a second, more is better", "drain_jobs_per_s", "median"),
    ("drain-2", "Drain, two workers", "jobs a second, more is better", "drain_2_workers_jobs_per_s", "median"),
    ("cpu", "CPU, enqueue and drain", "seconds per 1,000 jobs, less is better", "cpu_s_per_1000", "median"),
    ("enqueue", "Enqueue one by one", "jobs a second, more is better", "enqueue_per_s", "median"),
    ("bulk", "Enqueue in batches of 1,000", "jobs a second, more is better", "bulk_per_s", "median"),
    ("pickup", "Pickup by an idle worker, p50", "ms, less is better", "pickup_ms", "p50"),
    ("startup", "Worker start to first job", "seconds, less is better", "startup_s", "median"),
)


def write(document: dict[str, Any], folder: Path) -> None:
    """Write the charts that the document has figures for, and README.md around them; other files stay."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in charts(document).items():
        (folder / f"{name}.svg").write_text(text, encoding="utf-8")
    (folder / "README.md").write_text(text_of(document), encoding="utf-8")


def charts(document: dict[str, Any]) -> dict[str, str]:
    """SVG by name."""
    return {
        name: bar_chart(title, unit, _bars(document, measure, key))
        for name, title, unit, measure, key in _CHARTS
        if measure in document
    }


def text_of(document: dict[str, Any]) -> str:
    """The page, in Markdown."""
    systems, versions, sizes = document["systems"], document["versions"], document["sizes"]
    parts = [
        "# How fast it is",
        f"Measured {document['measured_at'][:10]} by `bench_task_queue` with Python {versions['python']} and PostgreSQL "
        f"{versions['postgres']} (fsync {document['durability']['fsync']}, synchronous_commit "
        f"{document['durability']['synchronous_commit']}) on {versions['cpu']}: medians of {sizes['rounds']} rounds in which the "
        "systems took turns, in brackets the least and the most. The machine's load average before the run was "
        f"{document['load_before']}. Made from a stored result; `make bench` measures anew.",
        "\n".join(
            f"![{title}, {unit}]({name}.svg)\n" for name, title, unit, measure, _ in _CHARTS if measure in document
        ),
        _markdown(
            ["measure", *(each["title"] for each in systems.values())],
            [[label, *texts] for label, texts in table.cells(document)],
        ),
    ]
    if "budget_us" in document:
        parts += ["## What a job costs", _markdown(["CPU of a drained job, one worker", "µs"], table.budget(document))]
    if "deep" in document:
        rows = [
            [name, f"{each['rows']:,}", f"{each['jobs_per_s']:,.0f}", f"{each.get('ratio', 1):.2f}"]
            for name, each in document["deep"].items()
        ]
        parts += ["## A deep queue", _markdown(["beside the backlog", "rows", "jobs/s", "of empty"], rows)]
    parts += ["## What was run", "\n".join(_setting(name, each, versions) for name, each in systems.items())]
    return "\n\n".join(parts) + "\n"


def _bars(document: dict[str, Any], measure: str, key: str) -> list[Bar]:
    bars = []
    for system, each in document["systems"].items():
        figure = document[measure].get(system)
        if figure:
            around = figure if key == "median" else figure["spread"][key]
            bars.append(Bar(each["title"], figure[key], around["min"], around["max"], system == OURS))
    return bars


def _setting(name: str, each: dict[str, str], versions: dict[str, Any]) -> str:
    packages = ", ".join(f"{package} {version}" for package, version in versions[name].items())
    return f"- **{each['title']}**: {each['note']} ({packages})."


def _markdown(head: list[str], rows: list[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
