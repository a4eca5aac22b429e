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
    "create_ppm_job roots",
    "create_ppm_job reminders",
    "roots due by the last auto-close",
    "roots completed",
    "roots closed by the server",
    "tickets raised",
    "tickets made by people",
    "escalations to level 1",
    "escalations to level 2",
    "messages of auto_close_jobs",
    "messages of send_reminder_email",
    "messages of send_ticket_email",
    "jobs of the day",
    "heartbeats",
    "occurrences planned twice",
    "jobs left waiting or running",
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
