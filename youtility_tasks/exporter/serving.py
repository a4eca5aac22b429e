"""A small HTTP server for `/metrics`."""

from __future__ import annotations

import logging
import socket
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from . import answering

logger = logging.getLogger(__name__)

_PATIENCE_S = 5
"""A client that says nothing for so long is let go."""


class _Handler(BaseHTTPRequestHandler):
    timeout = _PATIENCE_S
    server_version = "youtility-tasks"
    sys_version = ""

    def do_GET(self) -> None:
        if self.path.partition("?")[0] != "/metrics":
            return self._answer(404, b"Right is /metrics.\n", "text/plain; charset=utf-8")
        if not answering.may(self.headers.get("Authorization", "")):
            return self._answer(
                401, b"Right is the header Authorization: Bearer TOKEN (metrics_token).\n", "text/plain; charset=utf-8"
            )
        self._answer(200, *answering.body(self.headers.get("Accept", "")))

    do_HEAD = do_GET

    def _answer(self, status: int, body: bytes, content_type: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-store")
        if status == 401:
            self.send_header("WWW-Authenticate", "Bearer")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        logger.debug("scraped " + format, *args)


class Server(ThreadingHTTPServer):
    """Answers each scrape in a thread of its own."""

    daemon_threads = True

    def __init__(self, host: str, port: int) -> None:
        self.address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        super().__init__((host, port), _Handler)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hung up is no news."""
        logger.debug("scrape broke off", exc_info=True)
