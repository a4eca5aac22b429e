"""Puts an answer on stdout: one JSON document, or a page that needs no terminal."""

from __future__ import annotations

import io
import json
import os
import sys
from collections.abc import Iterable
from typing import Any

from django.core.management.base import OutputWrapper
from rich.console import Console, RenderableType

from .verbs.answer import plain

_WIDE_ENOUGH = 400
"""Columns when nobody looks: a table in a file or a pipe is never folded."""
_CLEAR = "\x1b[H\x1b[2J"


def as_json(out: OutputWrapper, document: dict[str, Any]) -> None:
    """One document, in ASCII whatever the terminal's encoding."""
    _send(out, json.dumps(document, indent=2, allow_nan=False))


def as_page(out: OutputWrapper, page: Iterable[RenderableType], *, on_clear_screen: bool = False) -> None:
    """Tables and lines, one below the other; as wide as the terminal, or as wide as they are.

    What the terminal's encoding does not have becomes "?", and the lines of tables become ASCII.
    """
    watched = out.isatty()
    text = io.TextIOWrapper(io.BytesIO(), encoding=getattr(out, "encoding", None) or "utf-8", errors="replace")
    # No markup, no emoji, no highlighting: the words come from tasks and errors, and "[7]" is no colour.
    console = Console(
        file=text,
        force_terminal=watched,
        width=None if watched else _WIDE_ENOUGH,
        markup=False,
        emoji=False,
        highlight=False,
        soft_wrap=not watched,
    )
    for each in page:
        console.print(plain(each) if isinstance(each, str) else each)
    text.seek(0)
    lines = "\n".join(line.rstrip() for line in text.read().splitlines())
    _send(out, f"{_CLEAR}{lines}" if watched and on_clear_screen else lines)


def _send(out: OutputWrapper, text: str) -> None:
    """Write it now. Whoever reads it may have seen enough (`| head`): what was to be done is done, and nobody is told of a fault."""
    try:
        out.write(text)
        out.flush()
    except BrokenPipeError:
        # At its end the interpreter flushes once more.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
