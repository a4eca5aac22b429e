"""The day's totals as a picture for the README: the lines that tell the story, drawn as a terminal shows them."""

from __future__ import annotations

import re
from io import StringIO

from rich.console import Console
from rich.table import Table
from rich.text import Text

from .reconcile import Check
from .screen import words

HEADLINES = (
    "plans that produce",
    "create_job roots",
    "create_job children",
    "roots completed",
    "roots closed by the server",
    "tickets",
    "escalations to level 1",
    "permits at the end",
    "scheduled reports made",
    "mutations delivered",
    "what photos show",
    "messages to the control room",
    "old media",
    "jobs on high_priority",
    "jobs on email",
    "jobs on reports",
    "jobs on maintenance",
    "jobs of the day",
    "messages",
    "occurrences planned twice",
    "messages to people of two clients",
)
_COLUMNS = 120
# rich's own pictures load a font from a foreign host; a picture of ours asks nobody for anything.
_FOREIGN_FONT = re.compile(r"@font-face \{.*?\}\s*", re.DOTALL)


def draw(checks: list[Check], title: str) -> str:
    """The headlines among the checks as SVG, with what became of all of them in the last line."""
    table = Table(box=None, header_style="bold", padding=(0, 3, 0, 0))
    for column in ("total", "expected", "got", ""):
        table.add_column(column, no_wrap=True)
    for check in sorted((c for c in checks if c.name in HEADLINES), key=lambda c: HEADLINES.index(c.name)):
        mark = Text("ok", style="green") if check.ok else Text("DIFFERS", style="bold red")
        table.add_row(check.name, words(check.expected), words(check.got), mark)
    wrong = sum(not check.ok for check in checks)
    verdict = Text(f"{wrong} of {len(checks)} totals differ", style="bold red")
    if not wrong:
        verdict = Text(f"... all {len(checks)} totals agree", style="bold green")
    console = Console(record=True, file=StringIO(), width=_COLUMNS)
    console.print(Text(f"$ make demo    # {title}", style="bold"), "", table, "", verdict, sep="\n")
    return _FOREIGN_FONT.sub("", console.export_svg(title="a facility company's day"))
