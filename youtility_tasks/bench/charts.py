"""Bar charts as SVG text; no library, no script, no font of its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape

from .table import number

_WIDTH, _LEFT, _RIGHT, _ROW, _TOP = 760, 190, 110, 34, 56
_OURS, _THEIRS = "#0b6e4f", "#8a94a6"


@dataclass(frozen=True)
class Bar:
    """One system's figure and how far its rounds lay apart."""

    label: str
    value: float
    least: float
    most: float
    is_ours: bool = False


def bar_chart(title: str, unit: str, bars: Sequence[Bar]) -> str:
    """Horizontal bars from zero, each with a line from its least to its most."""
    height = _TOP + _ROW * len(bars) + 16
    longest = max((bar.most for bar in bars), default=0) or 1
    scale = (_WIDTH - _LEFT - _RIGHT) / longest
    body = "".join(_bar(bar, _TOP + _ROW * k, scale) for k, bar in enumerate(bars))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{height}" viewBox="0 0 {_WIDTH} {height}" '
        f'role="img" font-family="system-ui, sans-serif" font-size="14">\n<title>{escape(title)}, {escape(unit)}</title>\n'
        f'<rect width="{_WIDTH}" height="{height}" fill="#ffffff"/>\n'
        f'<text x="16" y="30" font-size="17" fill="#1b1f24">{escape(title)} '
        f'<tspan font-size="13" fill="#57606a">{escape(unit)}</tspan></text>\n{body}</svg>\n'
    )


def _bar(bar: Bar, y: int, scale: float) -> str:
    middle, end = y + 11, _LEFT + bar.value * scale
    whisker = (
        f'<path d="M{_LEFT + bar.least * scale:.1f} {middle}H{_LEFT + bar.most * scale:.1f}" stroke="#1b1f24" stroke-width="1.5"/>\n'
        if bar.least != bar.most
        else ""
    )
    text_at = max(end, _LEFT + bar.most * scale) + 8
    return (
        f'<text x="{_LEFT - 10}" y="{middle + 5}" text-anchor="end" fill="#1b1f24">{escape(bar.label)}</text>\n'
        f'<rect x="{_LEFT}" y="{y}" width="{max(bar.value * scale, 1):.1f}" height="22" rx="2" '
        f'fill="{_OURS if bar.is_ours else _THEIRS}"/>\n{whisker}'
        f'<text x="{text_at:.1f}" y="{middle + 5}" fill="#1b1f24">{escape(number(bar.value))}</text>\n'
    )
