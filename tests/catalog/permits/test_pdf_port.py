"""PDFs by the real renderers, in their own process: what they show, what they cannot reach, and how they end."""

from __future__ import annotations

import base64
import http.server
import io
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from typing import Any

import pypdfium2
import pytest

from task_catalog.checks import check_task_catalog
from task_catalog.extras import MissingExtra
from task_catalog.ports import pdf, pdf_plain
from youtility_tasks import BadInput, Transient, errors

pytestmark = pytest.mark.usefixtures("real_pdf")

PAGE = """<html><head><title>never shown</title><style>h1 { color: #ff0000 }</style></head><body>
<h1>Permit &amp; more</h1><p>Hello <b>w&ouml;rld</b> again<br>next line</p><ul><li>one</li><li>two</li></ul>
<table><thead><tr><th>No</th><th>Question</th></tr></thead>
<tbody><tr><td>1</td><td>Is it #panic("x") safe?</td></tr><tr><td>2</td></tr></tbody></table></body></html>"""
LONG = "<table>" + "<tr><td>a</td><td>b</td></tr>" * 20_000 + "</table>"


def text_of(document: bytes) -> str:
    return "\n".join(page.get_textpage().get_text_range() for page in pypdfium2.PdfDocument(document))


def colours_of(document: bytes) -> set[tuple[int, ...]]:
    picture = pypdfium2.PdfDocument(document)[0].render(scale=1).to_pil().convert("RGB")
    return {colour for _, colour in picture.getcolors(maxcolors=1 << 24)}


@pytest.fixture
def settings_of(settings: Any) -> Any:
    def set_(**values: Any) -> None:
        settings.TASK_CATALOG = {**getattr(settings, "TASK_CATALOG", {}), **values}

    pdf.renderer.cache_clear()
    yield set_
    pdf.renderer.cache_clear()


@pytest.fixture
def web() -> Iterator[tuple[str, list[str]]]:
    """The address of a web server of this machine, and what it was asked for."""
    asked: list[str] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(200)
            self.end_headers()

        def log_message(self, *args: Any) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", asked
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def red_picture() -> bytes:
    from PIL import Image

    file = io.BytesIO()
    Image.new("RGB", (60, 60), (255, 0, 0)).save(file, "PNG")
    return file.getvalue()


def test_weasyprint_prints_html_with_its_style():
    made = pdf.render(PAGE, timeout_s=60)

    text = text_of(made)
    for words in ("Permit & more", "Hello wörld again", "next line", "one", 'Is it #panic("x") safe?'):
        assert words in text
    assert "never shown" not in text
    assert (255, 0, 0) in colours_of(made)


def test_typst_prints_the_same_words_in_a_plain_look(settings_of):
    settings_of(pdf_renderer="typst")

    made = pdf.render(PAGE, timeout_s=60)

    text = text_of(made)
    for words in ("Permit & more", "Hello wörld again", "next line", "one", 'Is it #panic("x") safe?', "1 / 1"):
        assert words in text
    assert "never shown" not in text
    assert "color" not in text
    assert (0xE8, 0xEE, 0xF3) in colours_of(made)  # the head of the table


@pytest.mark.parametrize(
    "html",
    [
        "",
        "<table></table>",
        "<table><tr></tr></table>",
        "</table></td></ul><p>x",
        "<table><tr><td><table><tr><td>in</td></tr></table></td></tr>",
        "<table><tr><th>only a head</th></tr></table>",
        "<ul><li></li></ul><h1></h1>",
        "\ud800 \x00 <p>#eval(1) $x$ @preview/x</p>",
    ],
)
def test_typst_prints_whatever_it_is_given(settings_of, html):
    settings_of(pdf_renderer="typst")

    assert pdf.render(html, timeout_s=60).startswith(b"%PDF-")


def test_a_table_of_a_plain_document_is_even_and_keeps_its_head():
    blocks = pdf_plain.blocks_as_json(
        "<p>a <b>b</b>\n c</p><table><tr><th>h</th></tr><tr><td>1</td><td>2</td></tr></table>"
    )

    assert blocks == (
        '[{"kind": "text", "text": "a b c"}, '
        '{"kind": "table", "columns": 2, "head": [["h", ""]], "rows": [["1", "2"]]}]'
    )


def test_a_picture_that_comes_with_the_document_is_shown(red_picture):
    url = "data:image/png;base64," + base64.b64encode(red_picture).decode()

    made = pdf.render(f"<img src='{url}'>", timeout_s=60)

    assert (255, 0, 0) in colours_of(made)


def test_no_file_is_read_and_no_address_called(tmp_path, web, red_picture, caplog):
    address, asked = web
    (tmp_path / "red.png").write_bytes(red_picture)
    (tmp_path / "red.css").write_text("p { background: #ff0000 }")
    ways = (
        f"<link rel=stylesheet href='file://{tmp_path}/red.css'><link rel=stylesheet href='{address}/a.css'>"
        f"<link rel=attachment href='file://{tmp_path}/red.css'><style>@import '{address}/b.css';"
        f"@font-face {{ font-family: x; src: url({address}/c.ttf) }}"
        f"p {{ background-image: url(file://{tmp_path}/red.png); font-family: x }}</style>"
        f"<p>words</p><img src='file://{tmp_path}/red.png'><img src='{tmp_path}/red.png'><img src='{address}/d.png'>"
        f"<img src='FILE://{tmp_path}/red.png'><object data='{address}/e.svg'></object>"
        f"<svg xmlns:xlink='http://www.w3.org/1999/xlink'><image xlink:href='{address}/f.png' width=9 height=9 /></svg>"
    )

    made = pdf.render(ways, timeout_s=60)

    assert asked == []
    assert (255, 0, 0) not in colours_of(made)
    assert b"/EmbeddedFile" not in made
    assert "disallowed protocol" in caplog.text


def test_time_runs_out_and_the_process_is_killed(monkeypatch):
    started: list[subprocess.Popen[bytes]] = []
    popen = subprocess.Popen
    monkeypatch.setattr(pdf.subprocess, "Popen", lambda *args, **kw: started.append(popen(*args, **kw)) or started[-1])
    before = time.monotonic()

    with pytest.raises(pdf.RenderTimeout, match=r"after 1\.5 s") as caught:
        pdf.render(LONG, timeout_s=1.5)

    assert isinstance(caught.value, Transient)
    assert time.monotonic() - before < 20  # the document takes minutes
    (process,) = started
    assert process.returncode == -9


def test_a_process_that_nobody_waits_for_any_more_ends_by_its_processor_time():
    command = [sys.executable, "-m", "task_catalog.ports.pdf_child", "weasyprint", "1024", "1"]

    left_alone = subprocess.run(command, input=LONG.encode(), capture_output=True, timeout=60)

    assert left_alone.returncode == -signal.SIGXCPU
    assert isinstance(pdf._failure("weasyprint", left_alone.returncode, "", 1024), pdf.RenderTimeout)


def test_an_abort_reaches_whoever_waits_and_ends_the_process(monkeypatch):
    """As the worker does it: the exception is raised in the waiting thread, which must come up for air."""
    import ctypes

    waiter = threading.get_ident()
    threading.Timer(
        1, lambda: ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(waiter), ctypes.py_object(KeyError))
    ).start()
    before = time.monotonic()

    with pytest.raises(KeyError):
        pdf.render(LONG, timeout_s=90)

    assert time.monotonic() - before < 20


@pytest.mark.parametrize("renderer", ["weasyprint", "typst"])
def test_a_document_that_needs_too_much_memory_is_bad_input_and_says_what_to_do(settings_of, renderer):
    settings_of(pdf_renderer=renderer, pdf_memory_mb=250)

    with pytest.raises(BadInput, match=r"more than 250 MB.*pdf_memory_mb"):
        pdf.render(LONG, timeout_s=90)


def test_the_process_has_no_socket_and_no_secret_of_ours(monkeypatch, tmp_path, settings_of):
    monkeypatch.setenv("DATABASE_URL", "postgresql://secret")
    (tmp_path / "weasyprint.py").write_text(
        "import os, sys\n"
        "links = [os.readlink(f'/proc/self/fd/{fd}') for fd in os.listdir('/proc/self/fd') if os.path.exists(f'/proc/self/fd/{fd}')]\n"
        "sys.stderr.write(repr((links, sorted(os.environ), sys.flags.safe_path)))\n"
        "raise SystemExit(9)\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    with socket.create_server(("127.0.0.1", 0)) as ours:
        os.set_inheritable(ours.fileno(), True)

        with pytest.raises(pdf.RenderFailed, match="ended with 9") as caught:
            pdf.render("x", timeout_s=60)

    said = str(caught.value)
    assert "pipe:" in said
    assert "socket:" not in said
    assert "DATABASE_URL" not in said
    assert said.endswith("True)")


def test_a_package_that_is_missing_is_named_with_its_extra(monkeypatch, tmp_path, settings_of):
    (tmp_path / "weasyprint.py").write_text("raise ModuleNotFoundError('No module', name='weasyprint')\n")
    monkeypatch.syspath_prepend(tmp_path)

    with pytest.raises(MissingExtra, match=r"pip install 'youtility-tasks\[reports\]'") as caught:
        pdf.render("x", timeout_s=60)

    assert isinstance(caught.value, errors.ConfigurationError)


@pytest.fixture
def no_pango(tmp_path, monkeypatch) -> None:
    """The loader finds a pango that is none, and looks no further."""
    (tmp_path / "libpango-1.0.so.0").write_bytes(b"")
    monkeypatch.setenv("LD_LIBRARY_PATH", str(tmp_path))


@pytest.mark.skipif(sys.platform != "linux", reason="the loader's way of Linux")
def test_without_pango_the_look_is_plain_and_the_log_says_why_once(no_pango, settings_of, caplog):
    made = [pdf.render(PAGE, timeout_s=60) for _ in range(2)]

    assert all("Hello wörld again" in text_of(each) for each in made)
    assert (255, 0, 0) not in colours_of(made[0])
    assert caplog.text.count("apt-get install libpango-1.0-0") == 1


@pytest.mark.skipif(sys.platform != "linux", reason="the loader's way of Linux")
def test_without_pango_and_typst_the_error_says_what_to_install(no_pango, settings_of, monkeypatch):
    monkeypatch.setattr(pdf, "is_installed", lambda package: False)

    with pytest.raises(pdf.LibraryMissing, match=r"Install pango: apt-get.*'typst'"):
        pdf.render(PAGE, timeout_s=60)


class Echo:
    """A renderer of somebody's own."""

    def render(self, html: str, *, timeout_s: float) -> bytes:
        return f"{html} {timeout_s}".encode()


def test_a_renderer_of_ones_own_is_named_by_its_path(settings_of):
    settings_of(pdf_renderer=f"{Echo.__module__}.Echo")

    assert pdf.render("x", timeout_s=2) == b"x 2"
    assert check_task_catalog() == []


def test_a_renderer_that_is_not_there_is_found_by_the_check(settings_of):
    settings_of(pdf_renderer="wkhtmltopdf")

    (found,) = check_task_catalog()
    assert found.id == "task_catalog.E005"
    assert "'pdf_renderer'" in found.msg


def test_missing_packages_and_libraries_are_found_by_the_check(settings_of, monkeypatch):
    monkeypatch.setattr("task_catalog.checks.find_library", lambda name: None)
    (library,) = check_task_catalog()
    monkeypatch.setattr("task_catalog.checks.is_installed", lambda package: False)
    package, styles, sheets = check_task_catalog()

    assert library.id == "task_catalog.W002"
    assert {each.id for each in (package, styles, sheets)} == {"task_catalog.W001"}
    assert "apt-get install libpango" in library.hint
    assert all("pip install 'youtility-tasks[reports]'" in each.msg for each in (package, styles, sheets))
