"""The files themselves, read back: every format holds the rows, and no cell is more than a cell."""

from __future__ import annotations

import csv
import json
import re
import zipfile
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from html.parser import HTMLParser
from pathlib import Path

import pypdfium2
import pytest
from django.db import connection
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from python_calamine import CalamineWorkbook

from task_catalog.extras import MissingExtra
from task_catalog.facility.models import Wom
from task_catalog.reporting import cells, registry
from task_catalog.reporting.chart import MOST_BARS, Totals
from task_catalog.reporting.head import Head
from task_catalog.reporting.registry import Chart, Column, Kind, Report
from task_catalog.reporting.writers import writer_of
from tests.catalog.closing.world import NOON
from tests.catalog.reports.world import form, made_into, visits
from youtility_tasks import BadInput

AT = datetime(2025, 3, 3, 4, 30, 59, tzinfo=UTC)
COLUMNS = (
    Column("Site"),
    Column("Count", Kind.WHOLE),
    Column("Share", Kind.PERCENT),
    Column("At", Kind.INSTANT),
    Column("Day", Kind.DATE),
    Column("Took"),
)
ROW = ("Börse", 7, Decimal("33.33"), AT, date(2025, 3, 3), timedelta(hours=26, minutes=5))
EMPTY = (None,) * 6
DANGEROUS = [
    '=HYPERLINK("http://evil.example","x")',
    "+1+1",
    "-2+3",
    "@SUM(A1)",
    "\t=1+1",
    "\r=1+1",
    "  =cmd|' /C calc'!A0",
    "\uff1d1+1",
    "\ufeff=1+1",
]


def head(columns=COLUMNS, chart=None, offset=330) -> Head:
    report = Report(
        code="SAMPLE", title="A <Sample>", required=(), optional=(), columns=columns, query=lambda _: None, chart=chart
    )
    return Head(
        report=report,
        client="Hill & Sons",
        place="Gate <1>",
        start=datetime(2025, 3, 2, 18, 30, tzinfo=UTC),
        end=datetime(2025, 3, 3, 18, 30, tzinfo=UTC),
        offset=offset,
        made_at=AT,
        company="House",
    )


def write(format: str, rows, folder: Path, **about) -> Path:
    path = folder / f"report.{format}"
    about = {"columns": COLUMNS, **about}
    written(format, head(**about), rows, path)
    return path


def written(format: str, about: Head, rows, path: Path) -> list[str]:
    """Write a file to its end; what was said about it."""
    writer = writer_of(format)
    said = writer.write(about, iter(rows), path)
    writer.finish(path)
    return said


def texts(format: str, values: list[str], folder: Path) -> list[str]:
    """Texts written in one column, as the format's own reader gets them back."""
    path = write(format, [(value,) for value in values], folder, columns=(Column("Text"),))
    if format == "xlsx":
        return [str(row[0]) for row in CalamineWorkbook.from_path(str(path)).get_sheet_by_index(0).to_python()[2:]]
    if format == "csv":
        with path.open(encoding="utf-8-sig", newline="") as file:
            return [row[0] for row in list(csv.reader(file))[1:]]
    if format == "json":
        return [row["Text"] for row in json.loads(path.read_text())["rows"]]
    return cells_of(path)


class _Cells(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self.tags: set[str] = set()
        self._inside = False

    def handle_starttag(self, tag, attributes):
        self.tags.add(tag)
        if tag == "td":
            self._inside = True
            self.found.append("")

    def handle_endtag(self, tag):
        self._inside = self._inside and tag != "td"

    def handle_data(self, data):
        if self._inside:
            self.found[-1] += data


def cells_of(path: Path) -> list[str]:
    parser = _Cells()
    parser.feed(path.read_text())
    assert parser.tags <= {
        *("html", "head", "meta", "title", "style", "body", "h1", "p", "span", "b", "table", "thead", "tbody", "tr"),
        *("th", "td", "footer"),
    }
    return parser.found


def test_xlsx_holds_numbers_and_local_dates_that_can_be_calculated_with(tmp_path):
    path = write("xlsx", [ROW, EMPTY], tmp_path)

    sheet = CalamineWorkbook.from_path(str(path)).get_sheet_by_index(0)
    title, names, first, *rest = sheet.to_python()

    assert sheet.name == "SAMPLE"
    assert title[0].startswith("A <Sample>. Client: Hill & Sons; Site: Gate <1>; Period: 03-Mar-2025 00:00 to 04-Mar")
    assert "Times: UTC+05:30" in title[0]
    assert names == [column.name for column in COLUMNS]
    assert first[:3] == ["Börse", 7, 33.33]
    assert abs(first[3] - datetime(2025, 3, 3, 10, 0, 59)) < timedelta(seconds=1)
    assert first[4] == date(2025, 3, 3)
    assert abs(first[5] - timedelta(hours=26, minutes=5)) < timedelta(seconds=1)
    assert rest in ([], [[""] * 6])


def test_xlsx_keeps_its_headings_in_sight_and_filters(tmp_path):
    with zipfile.ZipFile(write("xlsx", [ROW], tmp_path)) as book:
        sheet = book.read("xl/worksheets/sheet1.xml").decode()

    assert 'ySplit="2"' in sheet
    assert '<autoFilter ref="A2:F3"' in sheet
    assert "<f>" not in sheet
    assert "<hyperlink" not in sheet


def test_csv_is_utf8_with_a_mark_and_one_heading(tmp_path):
    path = write("csv", [ROW, EMPTY], tmp_path)

    assert path.read_bytes().startswith(b"\xef\xbb\xbfSite,Count,Share,At,Day,Took\r\n")
    with path.open(encoding="utf-8-sig", newline="") as file:
        _, first, second = csv.reader(file)
    assert first == ["Börse", "7", "33.33", "03-Mar-2025 10:00", "03-Mar-2025", "26:05"]
    assert second == [""] * 6


def test_json_is_one_document_with_numbers_and_instants_that_name_their_offset(tmp_path):
    found = json.loads(write("json", [ROW, EMPTY], tmp_path).read_text())

    assert (found["report"], found["client"], found["site"]) == ("SAMPLE", "Hill & Sons", "Gate <1>")
    assert (found["from"], found["upto"]) == ("2025-03-03T00:00:00+05:30", "2025-03-04T00:00:00+05:30")
    assert found["columns"] == [column.name for column in COLUMNS]
    assert found["rows"] == [
        {
            "Site": "Börse",
            "Count": 7,
            "Share": 33.33,
            "At": "2025-03-03T10:00:59+05:30",
            "Day": "2025-03-03",
            "Took": "26:05",
        },
        dict.fromkeys(found["columns"]),
    ]


def test_json_has_no_word_for_what_json_has_no_number_for(tmp_path):
    path = write("json", [(float("nan"),), (float("inf"),)], tmp_path, columns=(Column("N", Kind.WHOLE),))

    assert [row["N"] for row in json.loads(path.read_text(), parse_constant=pytest.fail)["rows"]] == [None, None]


def test_html_escapes_everything_and_asks_for_nothing(tmp_path):
    path = write("html", [("<script>alert(1)</script>", *ROW[1:])], tmp_path)

    page = path.read_text()
    assert cells_of(path)[0] == "<script>alert(1)</script>"
    assert "<script" not in page
    assert "<title>A &lt;Sample&gt;: Gate &lt;1&gt;</title>" in page
    assert "default-src 'none'" in page
    assert not re.search(r"(src|href|url\()", page.split("<body>")[1])


def test_a_title_cannot_end_the_style_sheet(tmp_path):
    about = head()
    object.__setattr__(about.report, "title", 'x</style><script>"; } body { display: none } ')
    path = tmp_path / "report.html"

    written("html", about, [ROW], path)

    page = path.read_text()
    assert page.count("</style>") == 1
    assert "<script" not in page


def test_pdf_pages_repeat_the_heading_and_say_their_number(tmp_path, settings):
    path = write("pdf", [(f"Site {n}", *ROW[1:]) for n in range(60)], tmp_path)

    document = pypdfium2.PdfDocument(str(path))
    pages = [page.get_textpage().get_text_range() for page in document]
    assert len(pages) == 2 or len(pages) == 3
    assert all("Percentage" not in page and "Share" in page for page in pages[:2])
    assert f"Page 1 of {len(pages)}" in pages[0]
    assert "Site 59" in "".join(pages)
    assert "Gate <1>" in pages[0]
    assert document.get_metadata_dict()["Title"] == "A <Sample>: Gate <1>"


def test_a_pdf_of_too_many_rows_is_refused_before_it_is_laid_out(tmp_path, settings, monkeypatch):
    settings.TASK_CATALOG = {**settings.TASK_CATALOG, "report_pdf_rows": 3}
    monkeypatch.setattr("task_catalog.ports.pdf.render", lambda html, *, timeout_s: b"%PDF-")
    write("pdf", [ROW] * 3, tmp_path)

    with pytest.raises(BadInput, match="a PDF holds 3 rows and there are more"):
        write("pdf", [ROW] * 4, tmp_path)


@pytest.mark.parametrize("text", DANGEROUS)
def test_csv_text_that_a_spreadsheet_would_run_is_defused(tmp_path, text):
    (found,) = texts("csv", [text], tmp_path)

    assert found.startswith("'")
    assert not re.match(r"[\s\ufeff]*[=+\-@\uff1d]", found)


@pytest.mark.parametrize("formula", ["=1+1", "  @SUM(A1)", "+1;=2", "-1|'/C calc'!A0"])
def test_csv_text_is_defused_where_semicolons_separate_cells_too(tmp_path, formula):
    """There a quotation mark behind a comma is none, so that cells end inside of our text."""
    cells_of_text = texts("csv", [f"pump;{formula}\n{formula}"], tmp_path)

    cells_there = [cell for each in cells_of_text for line in each.split("\n") for cell in line.split(";")]
    assert cells_there[0] == "pump"
    assert not [cell for cell in cells_there if re.match(r"[\s\ufeff]*[=+\-@\uff1d]", cell)]


@pytest.mark.parametrize("text", ["-5", "+919812345678", "-12.50", "1,000", "a=b", "mail@site", "a; b", ""])
def test_csv_text_that_is_harmless_is_left_alone(tmp_path, text):
    assert texts("csv", [text, "x"], tmp_path) == [text, "x"]


@pytest.mark.parametrize("text", [*DANGEROUS, "{=1+1}", "https://evil.example", "mailto:a@b", "123", "_x0041_", "TRUE"])
def test_xlsx_texts_stay_texts(tmp_path, text):
    (found,) = texts("xlsx", [text], tmp_path)

    assert found == cells.clean(text)


@pytest.mark.parametrize("format", ["xlsx", "csv", "html", "json"])
def test_control_characters_and_line_ends_break_no_format(tmp_path, format):
    wild = "a\x00b\x07c\x1bd\r\ne\rf\u2028g\x7fh\ud800i\ufffej"

    (found, after) = texts(format, [wild, "after"], tmp_path)

    assert found.replace("\r\n", "\n") == "abcd\ne\nf\nghij"
    assert after == "after"


def test_text_longer_than_a_cell_is_cut_and_told(tmp_path):
    about = head((Column("Text"),))
    long = "x" * 40_000
    path = tmp_path / "report.xlsx"

    said = written("xlsx", about, [(long,), ("x" * 32_767,)], path)

    rows = CalamineWorkbook.from_path(str(path)).get_sheet_by_index(0).to_python()[2:]
    assert [len(row[0]) for row in rows] == [32_767, 32_767]
    assert rows[0][0].endswith("x…")
    assert said == ["1 texts were cut at 32,767 characters"]
    assert texts("csv", [long], tmp_path) == [long]


printable = st.text(st.characters(codec="utf-8"), max_size=40)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(printable, min_size=1, max_size=5), st.sampled_from(["xlsx", "csv", "html", "json"]))
def test_any_text_comes_back_as_it_was(tmp_path, values, format):
    found = texts(format, [*values, "end"], tmp_path)

    wanted = [cells.clean(value) for value in values]
    if format == "csv":
        wanted = [cells.defused(value) for value in wanted]
    if format == "xlsx" and found[:-1] != wanted:  # its reader trims texts of blanks alone
        found, wanted = [each.strip() for each in found], [each.strip() for each in wanted]
    assert found == [*wanted, "end"]


@pytest.mark.parametrize(
    ("length", "shown"),
    [
        (timedelta(0), "00:00"),
        (timedelta(minutes=59, seconds=59), "00:59"),
        (timedelta(days=3, minutes=1), "72:01"),
        (-timedelta(minutes=90), "-01:30"),
    ],
)
def test_a_length_of_time_is_hours_and_minutes(length, shown):
    assert cells.hours_and_minutes(length) == shown


@pytest.mark.parametrize(
    ("offset", "words"), [(0, "UTC"), (330, "UTC+05:30"), (-300, "UTC-05:00"), (-570, "UTC-09:30")]
)
def test_a_report_says_by_which_clock_it_tells_the_time(offset, words):
    assert ("Times", words) in head(offset=offset).facts


def test_a_format_of_nobody_is_bad_input():
    with pytest.raises(BadInput, match="right is one of pdf, xlsx, csv, html, json"):
        writer_of("docx")


def test_a_missing_extra_is_named(monkeypatch):
    import sys

    monkeypatch.delitem(sys.modules, "task_catalog.reporting.writers.as_xlsx", raising=False)
    monkeypatch.setitem(sys.modules, "xlsxwriter", None)

    with pytest.raises(MissingExtra, match=r"pip install 'youtility-tasks\[reports\]'"):
        writer_of("xlsx")


def test_a_chart_adds_up_its_parts_and_folds_the_smallest(tmp_path):
    columns = (Column("Site"), Column("Done", Kind.WHOLE), Column("Left", Kind.WHOLE))
    chart = Chart("By site", "Site", ("Done", "Left"))
    totals = Totals(chart, columns)
    for n in range(MOST_BARS + 4):
        for _ in range(2):
            totals.add((f"Site <{n:02}>", n, Decimal(1)))

    bars = totals.bars()

    assert len(bars) == MOST_BARS + 1
    assert (bars[0].label, bars[0].parts) == ("Site <19>", (38.0, 2.0))
    assert (bars[-1].label, bars[-1].parts) == ("4 more", (12.0, 8.0))
    drawn = totals.drawn()
    assert "Site &lt;19&gt;" in drawn
    assert "<19>" not in drawn


def test_a_chart_without_parts_counts_rows_and_one_of_nothing_is_not_drawn():
    columns = (Column("Status"), Column("N", Kind.WHOLE))
    counted = Totals(Chart("By status", "Status"), columns)
    for status in ("NEW", "NEW", None):
        counted.add((status, 0))
    nothing = Totals(Chart("Sum", "Status", ("N",)), columns)
    nothing.add(("NEW", 0))

    assert [(bar.label, bar.length) for bar in counted.bars()] == [("NEW", 2), ("-", 1)]
    assert nothing.drawn() == ""


@pytest.mark.parametrize("format", ["html", "pdf"])
def test_the_chart_stands_above_the_rows(tmp_path, format):
    path = write(format, [ROW], tmp_path, chart=Chart("Counted by site", "Site", ("Count",)))

    if format == "html":
        page = path.read_text()
        assert page.index("Counted by site") < page.index("<svg") < page.index('<table class="rows')
    else:
        text = pypdfium2.PdfDocument(str(path))[0].get_textpage().get_text_range()
        assert text.index("Counted by site") < text.index("Share")


def test_a_pdf_is_laid_out_when_the_transaction_of_its_rows_is_over(acme, site, tmp_path, monkeypatch):
    seen = []

    def render(html: str, *, timeout_s: float) -> bytes:
        seen.append(connection.in_atomic_block)
        return b"%PDF-"

    monkeypatch.setattr("task_catalog.ports.pdf.render", render)
    visits(acme, site, "COMPLETED")

    made_into(acme, form("TASKSUMMARY", site, format="pdf"), tmp_path / "report.pdf")

    assert seen == [False]
    assert (tmp_path / "report.pdf").read_bytes() == b"%PDF-"


@pytest.mark.parametrize("format", ["xlsx", "csv", "html", "json"])
@pytest.mark.parametrize(
    ("code", "at"),
    [
        *(("TASKSUMMARY", None), ("TOURSUMMARY", None), ("PPMSUMMARY", None)),
        *(("LISTOFTASKS", 2), ("LISTOFTOURS", 2), ("LISTOFTICKETS", 1), ("WORKORDERLIST", 1)),
    ],
)
def test_every_report_comes_in_every_format(acme, site, tmp_path, code, at, format):
    guard = acme.person("guard", site)
    for kind in ("TASK", "INTERNALTOUR", "PPM"):
        visits(acme, site, "COMPLETED", "ASSIGNED", identifier=kind, people=guard, endtime=NOON)
    acme.ticket(site, at=NOON, creator_id=guard.pk)
    Wom.objects.create(description="d", identifier="WO", client_id=acme.id, bu=site, **acme.stamps(cdtz=NOON))
    path = tmp_path / f"report.{format}"

    made = made_into(acme, form(code, site, format=format, ctzoffset=330), path)

    assert made.has_data and made.warnings == ()
    if format == "json":
        found = json.loads(path.read_text())
        assert len(found["rows"]) == made.row_count
        assert at is None or found["rows"][0][found["columns"][at]].endswith("+05:30")
    elif format == "xlsx":
        assert len(CalamineWorkbook.from_path(str(path)).get_sheet_by_index(0).to_python()) == made.row_count + 2
    else:
        assert "acme" in path.read_text(encoding="utf-8-sig").lower()


def test_every_report_of_the_company_can_draw_its_chart():
    drawn = [report for report in registry.registered().values() if report.chart is not None]
    for report in drawn:
        Totals(report.chart, report.columns)
    assert len(drawn) == 10
