"""A mail server that keeps what it was sent: `python -m task_catalog.company_day.sink FILE [--port N]`.

It speaks real SMTP on 127.0.0.1, appends each accepted message to FILE as one JSON line, and answers "250" only after
that. It prints its port when it is ready, and ends when its standard input does, so that it never outlives its starter.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import io
import json
import os
import re
import sys
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from email import message_from_bytes, policy
from email.header import decode_header, make_header
from email.message import Message
from pathlib import Path
from typing import Any

from aiosmtpd.smtp import SMTP, Envelope, Session

_SITE = re.compile(r"\b[A-Z][a-z]+ ([A-Z])(\d{3})\b")
"""How the day's sites are called: `Harbour A003`."""


@dataclass(frozen=True, slots=True)
class Delivered:
    """One message as the sink accepted it."""

    sender: str
    recipients: tuple[str, ...]
    message_id: str
    task: str
    effect: str
    tenant: str
    subject: str
    text: str = ""
    """Its body: all parts that are text, one after the other."""
    attachments: tuple[str, ...] = ()
    """Names of the files that came along."""
    sites: tuple[str, ...] = ()
    """Sites that its text and its readable attachments name, as `A-003`."""


def read(file: Path) -> list[Delivered]:
    """All messages of a sink's file, in order of arrival; a line that was cut off by a crash was never accepted."""
    return list(_lines(file))


def _lines(file: Path) -> Iterator[Delivered]:
    if not file.exists():
        return
    for line in file.read_bytes().splitlines(keepends=True):
        if line.endswith(b"\n"):
            found: dict[str, Any] = json.loads(line)
            facts: dict[str, Any] = {k: tuple(each) if isinstance(each, list) else each for k, each in found.items()}
            yield Delivered(**facts)


def _unfolded(header: str | None) -> str:
    """A header's value on one line and in clear: a long one was begun on the next line, or encoded in pieces."""
    return " ".join(str(make_header(decode_header(header or ""))).split())


class _Recorder:
    def __init__(self, file: Path) -> None:
        self._fd = os.open(file, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o600)
        os.truncate(self._fd, file.read_bytes().rfind(b"\n") + 1)  # a cut line was never accepted

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        content = envelope.content
        raw = content if isinstance(content, bytes) else str(content or "").encode()
        headers = message_from_bytes(raw)
        line = {
            "sender": envelope.mail_from or "",
            "recipients": list(envelope.rcpt_tos),
            "message_id": _unfolded(headers["Message-ID"]),
            "task": _unfolded(headers["X-Youtility-Task"]),
            "effect": _unfolded(headers["X-Youtility-Effect"]),
            "tenant": _unfolded(headers["X-Youtility-Tenant"]),
            "subject": str(make_header(decode_header(headers["Subject"] or ""))),
            "text": _words(raw),
            "attachments": [name for part in headers.walk() if (name := part.get_filename())],
            "sites": sorted({site for part in headers.walk() for site in _sites(part)}),
        }
        os.write(self._fd, json.dumps(line).encode() + b"\n")  # one write: a kill leaves all of it or a cut line
        return "250 kept"


def _words(raw: bytes) -> str:
    parts = message_from_bytes(raw, policy=policy.default).walk()
    return "\n".join(part.get_content() for part in parts if part.get_content_maintype() == "text")


def _sites(part: Message) -> set[str]:
    """The sites of the day's clients that a text, a table or a page names; what is drawn (a PDF) cannot be read here."""
    content = part.get_payload(decode=True)
    if not isinstance(content, bytes):
        return set()
    return {f"{letter}-{number}" for letter, number in _SITE.findall(_text(content))}


def _text(content: bytes) -> str:
    if not content.startswith(b"PK"):
        return content.decode(errors="ignore")
    with contextlib.suppress(zipfile.BadZipFile), zipfile.ZipFile(io.BytesIO(content)) as book:
        return "\n".join(book.read(name).decode(errors="ignore") for name in book.namelist() if name.endswith(".xml"))
    return ""


async def _serve(file: Path, port: int) -> None:
    recorder = _Recorder(file)
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: SMTP(recorder, hostname="sink.invalid", loop=loop), "127.0.0.1", port)
    starter_gone = asyncio.Event()
    loop.add_reader(sys.stdin.fileno(), starter_gone.set)
    sys.stdout.write(f"{server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    await starter_gone.wait()
    os._exit(0)  # open connections need no goodbye


def main() -> None:
    parser = argparse.ArgumentParser(description="Keep every mail that arrives on 127.0.0.1.")
    parser.add_argument("file", type=Path, help="where each message becomes one JSON line")
    parser.add_argument("--port", type=int, default=0, help="port to listen on (default: a free one)")
    given = parser.parse_args()
    asyncio.run(_serve(given.file, given.port))


if __name__ == "__main__":
    main()
