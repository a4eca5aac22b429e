"""A real browser without a window: what a page looks like, and what it says about itself."""

from __future__ import annotations

import html
import json
import re
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.conftest import require_program

DESKTOP, PHONE = 760, 360
"""Widths in CSS pixels: a mail program's reading pane, and a small phone."""
_LIMIT_S = 90
_MEASURE = (Path(__file__).parent / "measure.js").read_text(encoding="utf-8")


def sheet(pages: Mapping[str, str], widths: Sequence[int] = (DESKTOP, PHONE)) -> str:
    """One page that shows others, each in a frame of its own at each width, and then as high as it needs."""
    rows = "".join(
        f"<section><h2>{html.escape(name)}</h2><div>"
        + "".join(
            f'<iframe name="{html.escape(name)} at {width}" width="{width}" height="10" srcdoc="{html.escape(page)}"></iframe>'
            for width in widths
        )
        + "</div></section>"
        for name, page in pages.items()
    )
    style = "body{margin:8px;background:#999;font:14px sans-serif}div{display:flex;gap:12px;align-items:flex-start}iframe{flex:none;border:0;background:#fff}"
    return f"<!DOCTYPE html><meta charset=utf-8><style>{style}</style>{rows}<script>{_MEASURE}</script>"


def measured(pages: Mapping[str, str], widths: Sequence[int] = (DESKTOP, PHONE)) -> dict[str, Any]:
    """What a browser finds in each page at each width (see measure.js), by `name at width`."""
    said = _chromium("--dump-dom", page=sheet(pages, widths))
    found = re.search(r'<pre id="measured"[^>]*>(.*?)</pre>', said, re.DOTALL)
    assert found is not None, said[-500:]
    told: dict[str, Any] = json.loads(html.unescape(found[1]))
    return told


def picture(page: str, file: Path, *, width: int, height: int) -> Path:
    """A screenshot of a page."""
    _chromium(f"--screenshot={file}", f"--window-size={width},{height}", page=page)
    return file


def _chromium(*words: str, page: str) -> str:
    program = require_program("chromium", package="chromium")
    with tempfile.TemporaryDirectory(prefix="yt-look-") as folder:
        file = Path(folder, "page.html")
        file.write_text(page, encoding="utf-8")
        # Root may not use chromium's sandbox; what it shows here is ours. No address resolves, so nothing is fetched.
        flags = [
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--hide-scrollbars",
            "--host-resolver-rules=MAP * ~NOTFOUND",
        ]
        profile = f"--user-data-dir={folder}/profile"
        command = [program, *flags, profile, "--virtual-time-budget=4000", *words, file.as_uri()]
        done = subprocess.run(command, capture_output=True, text=True, timeout=_LIMIT_S, check=True)
    return done.stdout
