"""The picture above the table: one bar a line, drawn as SVG that stands inside the page and asks for nothing from outside.

Labels are text of the page and not of the drawing, because there only the page joins Arabic letters.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.utils.html import escape

from .cells import clean
from .registry import Chart, Column
from .rows import Row

MOST_BARS = 16
"""Bars that are drawn; the smaller rest is one bar together."""
_KNOWN_AT_MOST = 20_000
"""Labels that are remembered; no chart tells more apart."""
# Told apart by people who see no red or green, and in grey print; with the colour of numbers on it.
_COLOURS = (("#2f6db5", "#ffffff"), ("#e08e2b", "#1d2733"), ("#b4bcc6", "#1d2733"), ("#6b4c9a", "#ffffff"))
_ROOM, _NUMBERS, _HEIGHT = 640, 60, 16
_FONT = 'font-family="Noto Sans, DejaVu Sans, Arial, sans-serif" font-size="11"'


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar: what it is called and its parts, from left to right."""

    label: str
    parts: tuple[float, ...]

    @property
    def length(self) -> float:
        return sum(self.parts)


class Totals:
    """Adds up, row by row, what a chart shows."""

    def __init__(self, chart: Chart, columns: Sequence[Column]) -> None:
        self._chart = chart
        names = [column.name for column in columns]
        self._label = names.index(chart.label)
        self._parts = [names.index(part) for part in chart.parts]
        self._sums: dict[str, list[float]] = {}

    def add(self, row: Row) -> None:
        """Count one row in."""
        label = clean(str(row[self._label] or "-"))
        sums = self._sums.get(label)
        if sums is None:
            if len(self._sums) >= _KNOWN_AT_MOST:
                return
            sums = self._sums[label] = [0.0] * max(1, len(self._parts))
        for n, part in enumerate(self._parts):
            sums[n] += _number(row[part])
        if not self._parts:
            sums[0] += 1

    def bars(self) -> list[Bar]:
        """The largest first, of equal ones by name; beyond MOST_BARS the rest is one bar at the end."""
        bars = sorted(
            (Bar(label, tuple(sums)) for label, sums in self._sums.items()), key=lambda bar: (-bar.length, bar.label)
        )
        shown, rest = bars[:MOST_BARS], bars[MOST_BARS:]
        if rest:
            shown.append(Bar(f"{len(rest)} more", tuple(map(sum, zip(*(bar.parts for bar in rest), strict=True)))))
        return shown

    def drawn(self) -> str:
        """The chart as a part of a page; "" when there is nothing to see."""
        bars = self.bars()
        return drawn(self._chart, bars) if any(bar.length > 0 for bar in bars) else ""


def drawn(chart: Chart, bars: Sequence[Bar]) -> str:
    """Bars with their labels as a part of a page, the longest as wide as there is room."""
    longest = max(bar.length for bar in bars)
    lines = [f"<tr><th>{escape(bar.label)}</th><td>{_bar(bar, longest)}</td></tr>" for bar in bars]
    return (
        f'<section class="chart"><h2>{escape(chart.title)}</h2>{_legend(chart.parts)}'
        f"<table>{''.join(lines)}</table></section>"
    )


def _bar(bar: Bar, longest: float) -> str:
    out = [f'<svg viewBox="0 0 {_ROOM + _NUMBERS} {_HEIGHT}" width="{_ROOM + _NUMBERS}" height="{_HEIGHT}" {_FONT}>']
    left = 0.0
    for part, (colour, ink) in zip(bar.parts, _COLOURS, strict=False):
        width = _ROOM * part / longest
        if width > 0:
            out.append(f'<rect x="{left:.1f}" y="0" width="{width:.1f}" height="{_HEIGHT}" fill="{colour}"/>')
            if len(bar.parts) > 1 and width > 9 * len(f"{part:g}"):
                middle = left + width / 2
                out.append(f'<text x="{middle:.1f}" y="12" text-anchor="middle" fill="{ink}">{part:g}</text>')
        left += width
    out.append(f'<text x="{left + 6:.1f}" y="12" fill="#1d2733">{bar.length:g}</text></svg>')
    return "".join(out)


def _legend(parts: Sequence[str]) -> str:
    told = "".join(
        f'<span><svg viewBox="0 0 10 10" width="10" height="10"><rect width="10" height="10" fill="{colour}"/></svg> '
        f"{escape(part)}</span>"
        for part, (colour, _) in zip(parts, _COLOURS, strict=False)
    )
    return f'<p class="legend">{told}</p>' if parts else ""


def _number(value: Any) -> float:
    return float(value) if isinstance(value, int | float | Decimal) else 0.0
