"""HTML reduced to what a plain document has: headings, paragraphs, lists and tables; and how typst sets them.

The text reaches typst as data, never as markup, so no document can contain a command.
"""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from typing import Any

_SPACE = re.compile(r"\s+")
_HEADINGS = {f"h{level}": level for level in range(1, 7)}
_UNSEEN = {"head", "script", "style", "template", "title"}
_BREAKS = {"address", "article", "blockquote", "body", "div", "footer", "header", "main", "p", "section"}

TEMPLATE = """
#let blocks = json(bytes(sys.inputs.blocks))
#set page(paper: "a4", margin: 18mm, numbering: "1 / 1")
#set text(font: ("DejaVu Sans", "Noto Sans", "Libertinus Serif"), size: 9pt, fill: rgb("#1f2933"))
#show heading: set text(fill: rgb("#12395b"))
#show heading: set block(above: 1.2em, below: 0.7em)
#for block in blocks {
  if block.kind == "heading" { heading(level: block.level, block.text) }
  else if block.kind == "list" { list(..block.items) }
  else if block.kind == "table" {
    table(
      columns: block.columns,
      stroke: 0.5pt + rgb("#c9d3dc"),
      inset: 5pt,
      fill: (x, y) => if y < block.head.len() { rgb("#e8eef3") },
      ..if block.head.len() > 0 { (table.header(..block.head.flatten().map(strong)),) },
      ..block.rows.flatten(),
    )
  }
  else { par(block.text) }
}
"""
"""The document in typst's language; `blocks` is the JSON of `blocks_as_json`."""


def blocks_as_json(html: str) -> str:
    """The document's blocks, for TEMPLATE."""
    reader = _Reader()
    reader.feed(html)
    reader.close()
    reader.end_paragraph()
    return json.dumps(reader.blocks, ensure_ascii=False)


class _Reader(HTMLParser):
    """Collects blocks; a table inside a table's cell becomes text of that cell."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.blocks: list[dict[str, Any]] = []
        self._text: list[str] = []
        self._unseen = 0
        self._tables = 0
        self._rows: list[tuple[bool, list[str]]] = []
        self._row: list[str] | None = None
        self._is_head = False
        self._items: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in _UNSEEN:
            self._unseen += 1
        elif tag == "br":
            self._text.append("\n")
        elif tag == "table":
            self._tables += 1
            if self._tables == 1:
                self.end_paragraph()
                self._rows = []
        elif self._tables == 1 and tag == "tr":
            self._row, self._is_head = [], True
        elif self._tables == 1 and tag in ("td", "th"):
            self._text = []
            self._is_head = self._is_head and tag == "th"
        elif not self._tables and (tag in _HEADINGS or tag in _BREAKS or tag == "li"):
            self.end_paragraph()

    def handle_endtag(self, tag: str) -> None:
        if tag in _UNSEEN:
            self._unseen = max(self._unseen - 1, 0)
        elif tag == "table" and self._tables:
            self._tables -= 1
            if not self._tables:
                self._end_table()
        elif self._tables:
            self._end_inside_table(tag)
        elif tag in _HEADINGS:
            self.end_paragraph(kind="heading", level=_HEADINGS[tag])
        elif tag == "li":
            if text := self._taken():
                self._items.append(text)
        elif tag in ("ul", "ol") and self._items:
            self.blocks.append({"kind": "list", "items": self._items})
            self._items = []
        elif tag in _BREAKS:
            self.end_paragraph()

    def handle_data(self, data: str) -> None:
        if not self._unseen:
            self._text.append(_SPACE.sub(" ", data))

    def end_paragraph(self, **kind: Any) -> None:
        """Make a block of the text so far, if there is any."""
        if text := self._taken():
            self.blocks.append({"kind": "text", **kind, "text": text})

    def _taken(self) -> str:
        lines = "".join(self._text).split("\n")
        self._text = []
        return "\n".join(line for each in lines if (line := " ".join(each.split())))

    def _end_inside_table(self, tag: str) -> None:
        if self._tables > 1:
            self._text.append(" ")
        elif tag in ("td", "th") and self._row is not None:
            self._row.append(self._taken())
        elif tag == "tr" and self._row is not None:
            self._rows.append((self._is_head, self._row))
            self._row = None

    def _end_table(self) -> None:
        self._text = []
        columns = max((len(cells) for _, cells in self._rows), default=0)
        if not columns:
            return
        even = [(is_head, [*cells, *[""] * (columns - len(cells))]) for is_head, cells in self._rows]
        heads = 0
        while heads < len(even) and even[heads][0]:
            heads += 1
        heads = heads if heads < len(even) else 0
        self.blocks.append(
            {
                "kind": "table",
                "columns": columns,
                "head": [cells for _, cells in even[:heads]],
                "rows": [cells for _, cells in even[heads:]],
            }
        )
