"""The process that makes one PDF: `python -m task_catalog.ports.pdf_child RENDERER MEMORY_MB CPU_S`, HTML to PDF.

Its limits come first, before a line of anybody's document is read. It knows nothing of Django, and it says on standard
error what it left out or why it failed.
"""

from __future__ import annotations

import contextlib
import logging
import os
import resource
import sys

PACKAGE_MISSING, LIBRARY_MISSING, OUT_OF_MEMORY = 64, 65, 66
"""How it ends when it cannot work; anything else but 0 is an error of the renderer."""


def main(name: str, memory_mb: str, cpu_s: str) -> int:
    """Read HTML, write a PDF; the status to end with."""
    _limit(int(memory_mb) * 1024 * 1024, int(cpu_s))
    html = sys.stdin.buffer.read().decode()
    try:
        made = _weasyprint(html) if name == "weasyprint" else _typst(html)
    except ModuleNotFoundError as error:
        if error.name != name:
            raise
        return _said(PACKAGE_MISSING, error)
    except MemoryError as error:
        return _said(OUT_OF_MEMORY, error)
    except OSError as error:
        if "cannot load library" not in str(error):
            raise
        return _said(LIBRARY_MISSING, str(error).splitlines()[0])
    sys.stdout.buffer.write(made)
    sys.stdout.buffer.flush()
    return 0


def _limit(memory_bytes: int, cpu_s: int) -> None:
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # a core would hold the document
    resource.setrlimit(resource.RLIMIT_CPU, (cpu_s, cpu_s + 1))  # at the first it is told why, at the second killed
    with contextlib.suppress(ValueError, OSError):  # macOS has no such limit
        resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))


def _weasyprint(html: str) -> bytes:
    import weasyprint
    from weasyprint.urls import URLFetcher

    logger = logging.getLogger("weasyprint")
    logger.addHandler(_Refusals())
    made: bytes = weasyprint.HTML(string=html, url_fetcher=URLFetcher(allowed_protocols=["data"])).write_pdf()
    return made


def _typst(html: str) -> bytes:
    import tempfile
    from pathlib import Path

    import typst

    from task_catalog.ports import pdf_plain

    with tempfile.TemporaryDirectory() as nothing:  # all that a document could read, or load packages from
        template = Path(nothing, "document.typ")
        template.write_text(pdf_plain.TEMPLATE)
        made: bytes = typst.compile(
            str(template),
            root=nothing,
            format="pdf",
            sys_inputs={"blocks": pdf_plain.blocks_as_json(html)},
            package_path=nothing,
            package_cache_path=nothing,
        )
    return made


class _Refusals(logging.Handler):
    """Tells of resources that were not fetched; remarks on style are nobody's business here."""

    def emit(self, record: logging.LogRecord) -> None:
        words = record.getMessage()
        if record.levelno >= logging.ERROR and "disallowed" in words:
            sys.stderr.write(words[:200] + "\n")


def _said(status: int, why: object) -> int:
    sys.stderr.write(f"{why}\n")
    return status


if __name__ == "__main__":
    status = main(*sys.argv[1:])
    sys.stderr.flush()
    os._exit(status)  # what it holds needs no tidying up
