"""The screen: five tables, one of them shown; a look at the database now and then, and the keys."""

from __future__ import annotations

import asyncio
import contextlib
import time
from typing import ClassVar

from textual import on, work
from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.widgets import Footer, Input, Static, TabbedContent, TabPane

from youtility_tasks.errors import YoutilityTaskError
from youtility_tasks.listing import JobFilter
from youtility_tasks.models import TaskWorker
from youtility_tasks.status import JobStatus

from . import doing, rows
from .desk import DEADLINE_S, Desk, Look, Pane, Unreachable
from .dialogs import Ask, Read, text
from .doing import Deed
from .tables import Board

_SHARE, _LONGEST_S = 10, 60.0
"""A look that took long is followed by a pause ten times as long: at most a tenth of the database's time is the monitor's."""
_ANY = "any"
_TURNS = (
    None,
    JobStatus.TODO,
    JobStatus.DOING,
    JobStatus.FAILED,
    JobStatus.SUCCEEDED,
    JobStatus.CANCELLED,
    JobStatus.ABORTED,
)

HELP = """1 2 3 4 5  queues, workers, jobs, failures, schedules
arrows     choose a line; Enter shows more of it
u          look again at once
?          this page          q  quit

queues     p  pause, or resume
workers    z  quiet: claim nothing more, or again
           x  drain: end what runs, and leave
jobs       f  next status: any, todo, doing, failed, succeeded, cancelled, aborted
           /  search: an id, a key, a part of a task's name; empty: all again
           r  retry a dead letter
           c  cancel    d  discard a dead letter
failures   Enter lists the jobs of that error

Acts are in the audit log with the reason that is asked for."""


class Monitor(App[None]):
    """For as long as somebody looks."""

    ENABLE_COMMAND_PALETTE = False
    CSS = """
    #head { height: 1; background: $primary; color: $text; padding: 0 1; }
    #banner { display: none; height: auto; max-height: 3; background: $error; color: $text; padding: 0 1; }
    #which { height: 1; padding: 0 1; color: $text-muted; }
    #search { display: none; height: 3; }
    .nothing { display: none; padding: 1; }
    Screen { overflow: hidden; }
    TabbedContent { height: 1fr; }
    TabPane { padding: 0; height: 1fr; }
    Board { height: 1fr; }
    Ask, Read { align: center middle; }
    .dialog { width: 70; max-width: 100%; height: auto; max-height: 100%; border: round $primary; background: $surface; padding: 0 1; }
    .page { width: 96%; height: 92%; border: round $primary; background: $surface; padding: 0 1; }
    .what { text-style: bold; height: auto; }
    #flaw { color: $error; height: auto; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        *(Binding(str(number), f"go('{pane.value}')", pane.value, show=False) for number, pane in enumerate(Pane, 1)),
        Binding("question_mark", "help", "help", key_display="?"),
        Binding("q", "quit", "quit"),
        Binding("u", "again", "look again"),
        Binding("p", "pause", "pause/resume"),
        Binding("z", "quiet", "quiet/resume"),
        Binding("x", "drain", "drain"),
        Binding("f", "status", "status"),
        Binding("slash", "search", "search", key_display="/"),
        Binding("r", "retry", "retry"),
        Binding("c", "cancel", "cancel"),
        Binding("d", "discard", "discard"),
    ]
    _OF_PANES: ClassVar[dict[str, Pane]] = {
        "pause": Pane.QUEUES,
        "quiet": Pane.WORKERS,
        "drain": Pane.WORKERS,
        **dict.fromkeys(("status", "search", "retry", "cancel", "discard"), Pane.JOBS),
    }

    def __init__(self, desk: Desk, *, interval_s: float = 2.0) -> None:
        super().__init__()
        self.animation_level = "none"  # over ssh each step of one is a page
        self.desk, self.interval_s = desk, interval_s
        self.pane, self.look = Pane.QUEUES, None
        self.wanted_status: JobStatus | None = None
        self.search, self.fingerprint = "", ""
        self.asked_at: float | None = None
        """Monotonic seconds since which an answer is awaited."""
        self.looks = 0
        """That were answered."""
        self._again = asyncio.Event()

    pane: Pane
    look: Look | None

    def compose(self) -> ComposeResult:
        whose = "all tenants" if self.desk.tenant_id is None else f"tenant {self.desk.tenant_id}"
        self.whose = f"youtility-tasks, {whose}"
        yield Static(text(self.whose), id="head")
        yield Static("", id="banner")
        with TabbedContent(initial=Pane.QUEUES.value):
            for number, pane in enumerate(Pane, 1):
                with TabPane(f"{number} {pane.value}", id=pane.value):
                    if pane is Pane.JOBS:
                        yield Static("", id="which")
                        yield Input(placeholder="id, key, or a part of a task's name", id="search", max_length=200)
                    yield Static("", id=f"no-{pane.value}", classes="nothing")
                    yield Board(rows.HEADINGS[pane], id=f"board-{pane.value}")
        yield Footer()

    def on_mount(self) -> None:
        self.board().focus()
        self._keep_looking()
        self.set_interval(1.0, self._note_silence)

    def board(self) -> Board:
        """The table that is shown."""
        return self.query_one(f"#board-{self.pane.value}", Board)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Only the keys of the pane that is shown are there."""
        return self._OF_PANES.get(action, self.pane) is self.pane

    # -- looking

    @work(group="look")
    async def _keep_looking(self) -> None:
        while True:
            self._again.clear()
            began = time.monotonic()
            await self._look()
            pause_s = min(_LONGEST_S, max(self.interval_s, _SHARE * (time.monotonic() - began)))
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause_s):
                    await self._again.wait()

    async def _look(self) -> None:
        pane, wanted = self.pane, self._wanted()
        self.asked_at = time.monotonic()
        try:
            seen = await self.desk.ask(lambda: self.desk.look(pane, wanted))
        except Unreachable as error:
            self._tell_trouble(f"The database does not answer; what is shown is old. {error}")
            return
        except YoutilityTaskError as error:
            self._tell_trouble(str(error))
            return
        finally:
            self.asked_at = None
        self.looks += 1
        self._tell_trouble("")
        self.query_one("#head", Static).update(text(f"{self.whose}  {rows.sums(seen)}"))
        if pane is self.pane:
            self._show(seen)

    def _show(self, seen: Look) -> None:
        self.look = seen
        found = rows.of(self.pane, seen)
        hidden = self.pane is Pane.WORKERS and not self.desk.sees_workers
        nothing = self.query_one(f"#no-{self.pane.value}", Static)
        nothing.update(text(rows.NOT_A_TENANTS if hidden else rows.NOTHING[self.pane]))
        nothing.display = not found
        self.board().show(found)
        if self.pane is Pane.JOBS:
            said = [f"status: {self.wanted_status or _ANY} (f)", f"search: {self.search or 'none'} (/)"]
            said += [f"error: {self.fingerprint}"] if self.fingerprint else []
            self.query_one("#which", Static).update(text("   ".join(said)))

    def _wanted(self) -> JobFilter:
        return JobFilter(
            statuses=[self.wanted_status] if self.wanted_status else (),
            tenant_id=self.desk.tenant_id,
            search=self.search,
            fingerprint=self.fingerprint or None,
        )

    def _tell_trouble(self, said: str) -> None:
        banner = self.query_one("#banner", Static)
        banner.update(text(said))
        banner.display = bool(said)

    def _note_silence(self) -> None:
        if self.asked_at is not None and time.monotonic() - self.asked_at > DEADLINE_S + 1:
            self._tell_trouble(f"The database has not answered for {time.monotonic() - self.asked_at:.0f} s.")

    # -- going about

    @on(TabbedContent.TabActivated)
    def _go_to(self, event: TabbedContent.TabActivated) -> None:
        self.pane = Pane(event.pane.id or Pane.QUEUES)
        self.refresh_bindings()
        self.board().focus()
        self._again.set()

    def action_go(self, pane: str) -> None:
        """Show that pane."""
        self.query_one(TabbedContent).active = pane

    def action_again(self) -> None:
        """Look at once."""
        self._again.set()

    def action_help(self) -> None:
        """Show the keys."""
        self.push_screen(Read("Keys", HELP))

    def action_status(self) -> None:
        """The next status of jobs."""
        self.wanted_status = _TURNS[(_TURNS.index(self.wanted_status) + 1) % len(_TURNS)]
        self._again.set()

    def action_search(self) -> None:
        """Ask what is looked for."""
        field = self.query_one("#search", Input)
        field.value = self.search
        field.display = True
        field.focus()

    @on(Input.Submitted, "#search")
    def _search(self, event: Input.Submitted) -> None:
        self.search, self.fingerprint = event.value.strip().replace("\x00", ""), ""
        event.input.display = False
        self.board().focus()
        self._again.set()

    @on(Board.RowSelected)
    def _open(self, event: Board.RowSelected) -> None:
        key = str(event.row_key.value)
        match self.pane:
            case Pane.JOBS:
                self._read_job(int(key))
            case Pane.FAILURES:
                self.fingerprint, self.search, self.wanted_status = key.rpartition(" ")[2], "", None
                self.action_go(Pane.JOBS.value)
            case Pane.WORKERS if self.look is not None:
                self.push_screen(Read(f"Worker {key}", rows.worker(self.look, int(key))))
            case Pane.QUEUES:
                self.search, self.fingerprint = "", ""
                self.action_go(Pane.JOBS.value)

    @work(exclusive=True, group="read")
    async def _read_job(self, job_id: int) -> None:
        try:
            known, because = await self.desk.ask(lambda: self.desk.story(job_id))
        except (Unreachable, YoutilityTaskError) as error:
            self._say(str(error), is_bad=True)
            return
        said = rows.job(known, because) if known is not None else f"No job has the id {job_id} any more."
        self.push_screen(Read(f"Job {job_id}", said))

    # -- doing

    def action_pause(self) -> None:
        """Pause the queue under the cursor, or end its pause."""
        queue = self.board().chosen
        if queue is not None and self.look is not None:
            self._do(doing.shut(queue, rows.pauses(self.look, self.desk.tenant_id).get(queue)))

    def action_quiet(self) -> None:
        """Let the worker under the cursor claim nothing more, or again."""
        for worker in self._chosen_workers():
            self._do(doing.quiet(worker))

    def action_drain(self) -> None:
        """Let the worker under the cursor leave."""
        for worker in self._chosen_workers():
            self._do(doing.drain(worker))

    def action_retry(self) -> None:
        """New attempts for the dead letter under the cursor."""
        if (key := self.board().chosen) is not None:
            self._do(doing.retry(int(key)))

    def action_cancel(self) -> None:
        """Take the job under the cursor off, or ask it to end."""
        if (key := self.board().chosen) is not None:
            self._do(doing.cancel(int(key)))

    def action_discard(self) -> None:
        """Take the dead letter under the cursor out for good."""
        if (key := self.board().chosen) is not None:
            self._do(doing.discard(int(key)))

    def _chosen_workers(self) -> list[TaskWorker]:
        key = self.board().chosen
        return [each for each in self.look.workers if str(each.pk) == key] if self.look is not None else []

    @work(exclusive=True, group="do")
    async def _do(self, deed: Deed) -> None:
        reason = await self.push_screen_wait(Ask(deed.asks, needs_reason=deed.needs_reason))
        if reason is None:
            return
        try:
            await self.desk.ask(lambda: deed.do(reason))
        except Unreachable as error:
            self._say(f"The database did not answer, so look whether it was done: {error}", is_bad=True)
        except YoutilityTaskError as error:
            self._say(str(error), is_bad=True)
        else:
            self._say(deed.told)
        self._again.set()

    def _say(self, said: str, *, is_bad: bool = False) -> None:
        self.notify(text(said).plain, severity="error" if is_bad else "information", markup=False, timeout=6)
