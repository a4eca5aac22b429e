"""Small pictures that the server makes: a bar a run, coloured by how it ended, each with a title."""

from __future__ import annotations

from collections.abc import Iterable

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

_WIDTH, _HEIGHT, _STEP = 240, 24, 4
_TALL = {"skipped": 10, "doing": 16, "todo": 12}
_CLASSES = {"aborted": "failed", "cancelled": "skipped", "doing": "busy", "todo": "busy", "fired": "fired"}


def spark(bars: Iterable[tuple[str, str]], label: str) -> SafeString:
    """A bar for each (word, title), the latest at the right end; at most sixty."""
    shown = list(bars)[-(_WIDTH // _STEP) :]
    first = _WIDTH - len(shown) * _STEP
    drawn = format_html_join(
        "", '<rect class="is-{}" x="{}" y="{}" width="3" height="{}" rx="1"><title>{}</title></rect>',
        (
            (_CLASSES.get(word, word), first + n * _STEP, _HEIGHT - _TALL.get(word, _HEIGHT), _TALL.get(word, _HEIGHT), title)
            for n, (word, title) in enumerate(shown)
        ),
    )  # fmt: skip
    return format_html(
        '<svg class="spark" viewBox="0 0 {} {}" preserveAspectRatio="none" role="img" aria-label="{}">{}</svg>',
        _WIDTH, _HEIGHT, label, drawn,
    )  # fmt: skip
