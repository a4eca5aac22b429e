"""Documents for people: HTML in, PDF out, made in a process of its own that can be killed.

`TASK_CATALOG["pdf_renderer"]` says by what: "weasyprint" (HTML and CSS as a browser prints them; needs the system
library pango), "typst" (needs nothing; headings, paragraphs, lists and tables in a plain look of its own), or the
dotted path of a class like them. Where pango is missing, "weasyprint" falls back to typst and says so in the log.

Neither reads a file or calls an address for a document: what it shows comes with it, pictures as `data:` URLs.
"""

from __future__ import annotations

import contextlib
import functools
import logging
import math
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from types import MappingProxyType
from typing import Protocol

from django.utils.module_loading import import_string

from task_catalog.conf import catalog
from task_catalog.extras import MissingExtra, is_installed
from task_catalog.ports.pdf_child import LIBRARY_MISSING, OUT_OF_MEMORY, PACKAGE_MISSING
from youtility_tasks import BadInput, Transient, errors

logger = logging.getLogger(__name__)

RENDERERS: Mapping[str, str] = MappingProxyType({"weasyprint": f"{__name__}.WeasyPrint", "typst": f"{__name__}.Typst"})
"""Short names of `TASK_CATALOG["pdf_renderer"]`, and the classes behind them."""

PANGO = "apt-get install libpango-1.0-0 libpangoft2-1.0-0 libharfbuzz-subset0 (Debian), brew install pango (macOS)"

_LOOK_EVERY_S = 0.25
_OUT_OF_MEMORY = ("MemoryError", "memory allocation of", "failed to allocate", "Error creating thread", "bad_alloc")
"""What Python, Rust, GLib and C++ say before they end a process that gets no more memory."""
_HANDED_ON = ("PATH", "HOME", "LANG", "TMPDIR", "LD_LIBRARY_PATH", "DYLD_FALLBACK_LIBRARY_PATH")
_FONTS = ("LC_", "XDG_", "FONTCONFIG_")


class RenderTimeout(Transient):
    """The document was not ready in time; its process was killed."""


class LibraryMissing(errors.ConfigurationError):
    """A system library that a renderer needs is not installed."""


class RenderFailed(RuntimeError):
    """The process that made the document ended with an error, or died."""


class PdfRenderer(Protocol):
    """Something that makes PDFs."""

    def render(self, html: str, *, timeout_s: float) -> bytes:
        """Make one document; see `render` of this module for what it raises."""
        ...


class WeasyPrint:
    """HTML and CSS as they are printed; typst's plain look where pango is missing."""

    def __init__(self) -> None:
        self._plain: Typst | None = None

    def render(self, html: str, *, timeout_s: float) -> bytes:
        ends = time.monotonic() + timeout_s
        if self._plain is None:
            try:
                return _in_a_process("weasyprint", html, timeout_s=timeout_s)
            except LibraryMissing:
                if not is_installed("typst"):
                    raise
                logger.warning("pango is missing, so PDFs have typst's plain look; for WeasyPrint's: %s", PANGO)
                self._plain = Typst()
        return self._plain.render(html, timeout_s=max(ends - time.monotonic(), 0.01))


class Typst:
    """The document's text in a plain look: headings, paragraphs, lists, tables. Style sheets are not read."""

    def render(self, html: str, *, timeout_s: float) -> bytes:
        return _in_a_process("typst", html, timeout_s=timeout_s)


def render(html: str, *, timeout_s: float) -> bytes:
    """The document as a PDF, within `timeout_s` seconds.

    Raises RenderTimeout (Transient) when time is up; BadInput when the document needs more memory than
    `TASK_CATALOG["pdf_memory_mb"]`; MissingExtra or LibraryMissing (ConfigurationError), naming what to install;
    RenderFailed for anything else that ended the process.
    """
    return renderer(catalog().pdf_renderer).render(html, timeout_s=timeout_s)


@functools.cache
def renderer(name: str) -> PdfRenderer:
    """The renderer of that short name or dotted path. Raises ImportError when it leads nowhere."""
    found: PdfRenderer = import_string(RENDERERS.get(name, name))()
    return found


def _in_a_process(name: str, html: str, *, timeout_s: float) -> bytes:
    memory_mb = catalog().pdf_memory_mb
    command = [sys.executable, "-P", "-m", "task_catalog.ports.pdf_child", name, str(memory_mb)]
    # Its processor time ends soon after ours would: should this process be killed meanwhile, that one ends as well.
    process = subprocess.Popen(  # noqa: S603 - this interpreter, and words of our own
        [*command, str(math.ceil(timeout_s) + 1)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=_environment(),
        close_fds=True,  # no socket of the worker's goes along
    )
    try:
        made, said = _talk(process, html.encode(errors="replace"), ends=time.monotonic() + timeout_s)
    except subprocess.TimeoutExpired:
        raise RenderTimeout(f"The PDF was not ready after {timeout_s:g} s; its process was killed.") from None
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
        for pipe in (process.stdin, process.stdout, process.stderr):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()
    words = said.decode(errors="replace").strip()
    if process.returncode == 0 and made.startswith(b"%PDF-"):
        if words:
            logger.warning("pdf made, but: %s", words[:500])
        return made
    raise _failure(name, process.returncode, words, memory_mb)


def _talk(process: subprocess.Popen[bytes], html: bytes, *, ends: float) -> tuple[bytes, bytes]:
    """Give it the document and take what it makes, looking up often enough to notice an abort or a time limit."""
    given: bytes | None = html
    while True:
        left = ends - time.monotonic()
        try:
            return process.communicate(given, timeout=max(min(_LOOK_EVERY_S, left), 0))
        except subprocess.TimeoutExpired:
            given = None
            if left <= 0:
                raise


def _failure(name: str, code: int, words: str, memory_mb: int) -> Exception:
    if code == PACKAGE_MISSING:
        return MissingExtra(f"TASK_CATALOG['pdf_renderer'] = {name!r}", name, "reports")
    if code == LIBRARY_MISSING:
        return LibraryMissing(
            f"{name} cannot make PDFs here: {words[-200:]}. Install pango: {PANGO}. "
            "Or set TASK_CATALOG['pdf_renderer'] = 'typst', which needs no library."
        )
    if code == -signal.SIGXCPU:
        return RenderTimeout("The PDF took more processor time than it had; its process was ended.")
    if code == OUT_OF_MEMORY or (code != 0 and any(sign in words for sign in _OUT_OF_MEMORY)):
        return BadInput(
            f"The PDF needs more than {memory_mb} MB of memory. Make it shorter, choose another format, or raise "
            "TASK_CATALOG['pdf_memory_mb']."
        )
    return RenderFailed(f"{name} ended with {code}: {words[-500:] or 'it said nothing'}")


def _environment() -> dict[str, str]:
    """What that process may know: where to find Python's packages and fonts; no address and no secret of ours."""
    kept = {name: value for name, value in os.environ.items() if name in _HANDED_ON or name.startswith(_FONTS)}
    path = os.pathsep.join(entry or os.getcwd() for entry in sys.path)
    return {**kept, "PYTHONPATH": path, "PYTHONSAFEPATH": "1", "PYTHONDONTWRITEBYTECODE": "1", "MALLOC_ARENA_MAX": "2"}
