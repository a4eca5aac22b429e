"""The picture above the table: bars, drawn as SVG that stands inside the page and asks for nothing from outside."""

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
# Told apart by people who see no red or green, and in grey print.
_COLOURS = ("#2f6db5", "#e08e2b", "#b4bcc6", "#6b4c9a", "#3b8f84")
_WIDTH, _LABELS, _NUMBERS = 1000, 230, 60
_BAR, _GAP, _TOP = 17, 7, 34
_LETTERS = 34


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
        """The chart as SVG; "" when there is nothing to see."""
        bars = self.bars()
        return drawn(self._chart, bars) if any(bar.length > 0 for bar in bars) else ""


def drawn(chart: Chart, bars: Sequence[Bar]) -> str:
    """Bars as SVG, the longest as wide as there is room."""
    room = _WIDTH - _LABELS - _NUMBERS
    longest = max(bar.length for bar in bars)
    height = _TOP + len(bars) * (_BAR + _GAP)
    out = [
        f'<svg class="chart" xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" role="img">',
        f"<title>{escape(chart.title)}</title>",
        f'<text x="0" y="14" class="chart-title">{escape(chart.title)}</text>',
        *_legend(chart.parts),
    ]
    for n, bar in enumerate(bars):
        top = _TOP + n * (_BAR + _GAP)
        label = bar.label if len(bar.label) <= _LETTERS else f"{bar.label[: _LETTERS - 1]}…"
        out.append(f'<text x="{_LABELS - 8}" y="{top + 13}" text-anchor="end">{escape(label)}</text>')
        left = float(_LABELS)
        for part, colour in zip(bar.parts, _COLOURS, strict=False):
            width = room * part / longest
            if width > 0:
                out.append(f'<rect x="{left:.1f}" y="{top}" width="{width:.1f}" height="{_BAR}" fill="{colour}"/>')
                if len(bar.parts) > 1 and width > 9 * len(f"{part:g}"):
                    ink = "#ffffff" if colour == _COLOURS[0] else "#1d2733"
                    out.append(
                        f'<text x="{left + width / 2:.1f}" y="{top + 13}" text-anchor="middle" fill="{ink}">{part:g}</text>'
                    )
            left += width
        out.append(f'<text x="{left + 6:.1f}" y="{top + 13}">{bar.length:g}</text>')
    return "".join([*out, "</svg>"])


def _legend(parts: Sequence[str]) -> list[str]:
    out: list[str] = []
    left = _LABELS
    for part, colour in zip(parts, _COLOURS, strict=False):
        out.append(f'<rect x="{left}" y="3" width="12" height="12" fill="{colour}"/>')
        out.append(f'<text x="{left + 17}" y="14">{escape(part)}</text>')
        left += 40 + 8 * len(part)
    return out


def _number(value: Any) -> float:
    return float(value) if isinstance(value, int | float | Decimal) else 0.0
