"""What stands before the tables for a moment: a question with a reason, a page to read."""

from __future__ import annotations

from typing import ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical, VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Input, Static

from youtility_tasks.documents.lines import printable


def text(said: str) -> Text:
    """Text as it is, over several lines."""
    return Text(printable(said), overflow="fold")


class Ask(ModalScreen[str | None]):
    """Says what is about to be done and asks why; gives the reason, None for "not after all"."""

    BINDINGS: ClassVar[list[BindingType]] = [("escape", "leave", "not after all")]

    def __init__(self, what: str, *, needs_reason: bool) -> None:
        super().__init__()
        self.what, self.needs_reason = what, needs_reason

    def compose(self) -> ComposeResult:
        wanted = "a reason" if self.needs_reason else "a reason, or nothing"
        with Vertical(classes="dialog"):
            yield Static(text(self.what), classes="what")
            yield Input(placeholder=f"{wanted}; Enter does it, Esc does not", max_length=500)
            yield Static("", id="flaw")

    def on_input_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        reason = event.value.strip()
        if self.needs_reason and not reason:
            self.query_one("#flaw", Static).update(text("It needs a reason: it is kept in the audit log."))
            return
        self.dismiss(reason)

    def action_leave(self) -> None:
        """Do nothing."""
        self.dismiss(None)


class Read(ModalScreen[None]):
    """A page to read."""

    BINDINGS: ClassVar[list[BindingType]] = [
        ("escape", "leave", "back"),
        ("q", "leave", "back"),
        ("question_mark", "leave", "back"),
    ]

    def __init__(self, title: str, said: str) -> None:
        super().__init__()
        self.heading, self.said = title, said

    def compose(self) -> ComposeResult:
        with Vertical(classes="page"):
            yield Static(text(self.heading), classes="what")
            with VerticalScroll():
                yield Static(text(self.said), classes="said")

    def on_mount(self) -> None:
        self.query_one(VerticalScroll).focus()

    def action_leave(self) -> None:
        """Back to the tables."""
        self.dismiss(None)
