"""What people see of a day: its clock while it is played, and the table of totals at the end."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from youtility_tasks.models import TaskExecutionHistory

from . import scopes
from .expected import Value
from .reconcile import Check

_DAY = timedelta(days=1)
_LINE_EVERY = timedelta(hours=3)
_WIDTH_WITHOUT_TERMINAL = 150


@dataclass(frozen=True, slots=True)
class Moment:
    """How far the day was when an instant was over."""

    at: datetime
    jobs: int
    mails: int


class DayScreen:
    """The clock, the jobs and the mails of a day that is being played; a line every three hours without a terminal."""

    def __init__(self, console: Console, start: datetime) -> None:
        self._console, self._start = console, start
        self._mail_file: Path | None = None
        self._first_attempt = 0
        self._next_line = start + _LINE_EVERY
        self.moments: list[Moment] = []
        self._progress = Progress(
            TextColumn("[bold]{task.fields[clock]}"),
            BarColumn(),
            TextColumn("{task.fields[jobs]} jobs  {task.fields[mails]} mails"),
            TimeElapsedColumn(),
            console=console,
            disable=not console.is_terminal,
        )
        self._bar = self._progress.add_task("day", total=_DAY.total_seconds(), clock=_clock(start), jobs=0, mails=0)

    def __enter__(self) -> DayScreen:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        self._progress.stop()

    def begin(self, mail_file: Path) -> None:
        """The company is there and its processes run."""
        self._mail_file = mail_file
        newest = TaskExecutionHistory.objects.order_by("-id").values_list("id", flat=True)
        self._first_attempt = max(scopes.of_each(lambda _: newest.first() or 0))

    def tell(self, instant: datetime) -> None:
        """An instant is over."""
        clock, jobs, mails = _clock(instant), self._jobs(), self._mails()
        self.moments.append(Moment(instant, jobs, mails))
        self._progress.update(
            self._bar, completed=(instant - self._start).total_seconds(), clock=clock, jobs=jobs, mails=mails
        )
        if not self._console.is_terminal and instant >= self._next_line:
            self._next_line += _LINE_EVERY
            self._console.print(f"{clock}  {jobs} jobs  {mails} mails", highlight=False)

    def _jobs(self) -> int:
        ended = TaskExecutionHistory.objects.filter(id__gt=self._first_attempt, is_final=True)
        return sum(scopes.of_each(lambda tenant_id: ended.filter(tenant_id=tenant_id).count()))

    def _mails(self) -> int:
        return self._mail_file.read_bytes().count(b"\n") if self._mail_file and self._mail_file.exists() else 0


def table_of(checks: list[Check], title: str) -> Table:
    """Every total, expected beside got; what differs stands out."""
    table = Table(title=title, title_style="bold", header_style="bold", caption=_verdict(checks))
    table.add_column("total", overflow="fold")
    table.add_column("expected", overflow="fold")
    table.add_column("got", overflow="fold")
    table.add_column("")
    for check in checks:
        mark = Text("ok", style="green") if check.ok else Text("DIFFERS", style="bold red")
        table.add_row(Text(check.name), Text(words(check.expected)), Text(words(check.got)), mark)
    return table


def console_for_results() -> Console:
    """Standard output; wide enough for the table when it is no terminal."""
    plain = Console()
    return plain if plain.is_terminal else Console(width=_WIDTH_WITHOUT_TERMINAL)


def words(value: Value | None) -> str:
    """A total as people read it: `A 603  B 356  C 239  all 1198`."""
    if value is None:
        return "not counted"
    if isinstance(value, dict):
        return "  ".join(f"{name} {each}" for name, each in value.items())
    return str(value)


def _verdict(checks: list[Check]) -> Text:
    wrong = sum(not check.ok for check in checks)
    if wrong:
        return Text(f"{wrong} of {len(checks)} totals differ", style="bold red")
    return Text(f"all {len(checks)} totals agree", style="bold green")


def _clock(instant: datetime) -> str:
    return f"{instant:%a %Y-%m-%d %H:%M} UTC"
