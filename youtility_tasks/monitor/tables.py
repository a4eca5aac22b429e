"""A table whose lines come and go while somebody reads it: the cursor stays with what it stands on."""

from __future__ import annotations

from collections.abc import Sequence

from rich.cells import cell_len
from rich.text import Text
from textual.widgets import DataTable

from youtility_tasks.documents.lines import printable

from .rows import Row


def cell(text: str) -> Text:
    """Text as it is: what tasks and errors say is neither markup nor a line break, and steers no terminal."""
    return Text(printable(text).replace("\n", " ").replace("\t", " "), no_wrap=True, end="")


class Board(DataTable[Text]):
    """Rows under headings, replaced as a whole or cell by cell."""

    def __init__(self, headings: Sequence[str], *, id: str) -> None:
        super().__init__(id=id, cursor_type="row", zebra_stripes=True, cell_padding=1)
        self.headings = headings
        self.lines: dict[str, tuple[str, ...]] = {}
        """What is shown, by key."""
        self._widths = [len(heading) for heading in headings]

    @property
    def chosen(self) -> str | None:
        """The key of the line under the cursor; None when there is none."""
        keys = list(self.lines)
        return keys[self.cursor_row] if 0 <= self.cursor_row < len(keys) else None

    def show(self, rows: Sequence[Row]) -> None:
        """Let exactly these be there."""
        wanted = {row.key: row.cells for row in rows}
        widths = [
            max(map(cell_len, (heading, *column)))
            for heading, column in zip(self.headings, zip(*wanted.values(), strict=True), strict=False)
        ]
        fits = all(width <= shown for width, shown in zip(widths, self._widths, strict=False))
        if fits and list(wanted) == list(self.lines):
            self._update(wanted)
            return
        before, at, scrolled = self.chosen, self.cursor_row, self.scroll_y
        self.clear(columns=True)
        self._widths = widths or [len(heading) for heading in self.headings]
        for heading, width in zip(self.headings, self._widths, strict=True):
            self.add_column(heading, key=heading, width=width)
        for key, cells in wanted.items():
            self.add_row(*map(cell, cells), key=key)
        self.lines = wanted
        if wanted:
            row = list(wanted).index(before) if before in wanted else min(max(at, 0), len(wanted) - 1)
            self.move_cursor(row=row, animate=False, scroll=False)
            self.scroll_to(y=scrolled, animate=False)

    def _update(self, wanted: dict[str, tuple[str, ...]]) -> None:
        for key, cells in wanted.items():
            for heading, new, old in zip(self.headings, cells, self.lines[key], strict=True):
                if new != old:
                    self.update_cell(key, heading, cell(new))
        self.lines = wanted
