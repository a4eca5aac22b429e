"""A board's parts in few words, and the SDK's builders behind them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from grafana_foundation_sdk.builders import dashboard as build
from grafana_foundation_sdk.builders import prometheus, stat, timeseries
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import dashboard as model

SOURCE = model.DataSourceRef(type_val="prometheus", uid="${source}")
_WIDTH = 24


@dataclass(frozen=True, slots=True)
class Query:
    """One expression, and how its series are called: "{{queue}}"."""

    expression: str
    legend: str = ""


@dataclass(frozen=True, slots=True)
class Panel:
    """Lines over time, or with `is_number` the last value."""

    title: str
    queries: Sequence[Query]
    unit: str = "short"
    is_number: bool = False
    width: int = 12
    height: int = 8
    says: str = ""
    red_from: float | None = None


@dataclass(frozen=True, slots=True)
class Board:
    """A page of panels. `choices`: (variable, metric whose label of that name has the values)."""

    uid: str
    title: str
    panels: Sequence[Panel]
    choices: Sequence[tuple[str, str]] = ()


def written(board: Board) -> str:
    """The JSON that Grafana imports."""
    made = build.Dashboard(board.title).uid(board.uid).tags(["youtility_tasks"]).refresh("30s").time("now-6h", "now")
    made = made.readonly().timezone("browser")
    made = made.with_variable(build.DatasourceVariable("source").label("Prometheus").type("prometheus"))
    for name, metric in board.choices:
        made = made.with_variable(_choice(name, metric))
    made = made.link(build.DashboardLink("Boards").type(model.DashboardLinkType.DASHBOARDS).tags(["youtility_tasks"]).as_dropdown(True))  # fmt: skip
    left = top = highest = 0
    for number, panel in enumerate(board.panels, 1):
        if left + panel.width > _WIDTH:
            left, top, highest = 0, top + highest, 0
        place = model.GridPos(h=panel.height, w=panel.width, x=left, y=top)
        made = made.with_panel(_built(panel, number).grid_pos(place))
        left, highest = left + panel.width, max(highest, panel.height)
    return JSONEncoder(sort_keys=True, indent=1, ensure_ascii=False).encode(made.build()) + "\n"


def _choice(name: str, metric: str) -> build.QueryVariable:
    return (
        build.QueryVariable(name)
        .datasource(SOURCE)
        .query(f"label_values({metric}, {name})")
        .refresh(model.VariableRefresh.ON_TIME_RANGE_CHANGED)
        .multi(True)
        .include_all(True)
        .all_value(".*")
        .current(model.VariableOption(selected=True, text="All", value="$__all"))
    )


def _built(panel: Panel, number: int) -> stat.Panel | timeseries.Panel:
    made: stat.Panel | timeseries.Panel = stat.Panel() if panel.is_number else timeseries.Panel()
    made = made.title(panel.title).id(number).datasource(SOURCE).unit(panel.unit).min(0)
    if panel.says:
        made = made.description(panel.says)
    if panel.red_from is not None:
        steps = [model.Threshold(None, "green"), model.Threshold(panel.red_from, "red")]
        made = made.thresholds(build.ThresholdsConfig().mode(model.ThresholdsMode.ABSOLUTE).steps(steps))
    for letter, query in zip("ABCDEFGH", panel.queries, strict=False):
        asked = prometheus.Dataquery().expr(query.expression).legend_format(query.legend).ref_id(letter)
        made = made.with_target(asked.datasource(SOURCE))
    return made
