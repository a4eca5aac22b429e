"""What the book says, as commands: its fenced blocks and the commands of its last table."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

BOOK = Path(__file__).resolve().parents[3] / "deploy" / "MOVING_FROM_CELERY.md"
NEEDS_ID = ("JOB", "WORKER")


def steps(text: str) -> list[list[str]]:
    """Each line of each fenced block, in order, as its words."""
    blocks = re.findall(r"^```\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    return [shlex.split(line, comments=True) for block in blocks for line in block.splitlines() if line.strip()]


def table(text: str) -> list[list[str]]:
    """The commands of the table's last column."""
    rows = text.partition("## Where is what I knew?")[2].splitlines()
    cells = [row.rsplit("|", 2)[1] for row in rows if row.startswith("|")]
    said = [each for cell in cells for each in re.findall(r"`(manage_task_queue [^`]+)`", cell)]
    return [shlex.split(each) for each in said]
