"""Documents by the real renderer, page by page: nothing runs off the paper, and every page says what it belongs to."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pypdfium2
import pytest
from django.template.loader import render_to_string

from task_catalog.ports import pdf
from task_catalog.reporting.head import Head
from task_catalog.reporting.registry import find
from task_catalog.reporting.writers import writer_of
from tests.catalog.looks.letters import HEBREW, MARKUP, UNBROKEN
from tests.catalog.looks.papers import PAPERS, WORST

pytestmark = pytest.mark.timeout(300)
MARGIN_PT = 12
"""What a printer needs, four millimetres; the foot of a report stands six above the edge."""


def pages(document: bytes) -> Iterator[Any]:
    yield from pypdfium2.PdfDocument(document)


def boxes(page: Any) -> list[tuple[float, ...]]:
    """Left, bottom, right and top of each piece of text."""
    text = page.get_textpage()
    return [text.get_rect(n) for n in range(text.count_rects())]


def off_paper(document: bytes) -> list[tuple[float, ...]]:
    found = []
    for page in pages(document):
        width, height = page.get_size()
        found += [
            box
            for box in boxes(page)
            if box[0] < MARGIN_PT or box[2] > width - MARGIN_PT or box[1] < MARGIN_PT or box[3] > height - MARGIN_PT
        ]
    return found


def rendered(name: str) -> bytes:
    template, context = PAPERS[name]
    return pdf.render(render_to_string(f"task_catalog/pdf/{template}.html", context), timeout_s=110)


@pytest.mark.parametrize("name", PAPERS)
def test_nothing_runs_off_the_paper_and_every_page_has_its_foot(name):
    document = rendered(name)

    assert off_paper(document) == []
    for number, page in enumerate(pages(document), 1):
        assert f"{number} / " in page.get_textpage().get_text_range()


def test_a_page_would_tell_when_text_runs_off():
    template, context = PAPERS["permit, hostile"]
    page = render_to_string(f"task_catalog/pdf/{template}.html", context)

    assert off_paper(pdf.render(page.replace("overflow-wrap: anywhere", ""), timeout_s=110)) != []


def test_a_wide_report_stays_on_its_paper_whatever_is_in_its_cells(tmp_path: Path):
    at = datetime(2025, 3, 3, tzinfo=UTC)
    rows = [
        (text, other, at, at + timedelta(hours=1), other, "SCHEDULE", "COMPLETED", at, at, text, other, text)
        for text, other in zip(WORST, reversed(WORST), strict=True)
    ]
    head = Head(
        report=find("LISTOFTASKS"),
        offset=330,
        made_at=at,
        client="Acme",
        place=f"{UNBROKEN} {HEBREW}",
        start=at,
        end=at + timedelta(days=28),
        company=MARKUP,
    )
    path = tmp_path / "report.pdf"
    path.touch()
    writer = writer_of("pdf")
    writer.write(head, iter(rows), path)
    writer.finish(path)

    assert off_paper(path.read_bytes()) == []
