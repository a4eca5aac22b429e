"""A real SMTP server that keeps what it takes, on a port of its own or of one before it."""

from __future__ import annotations

from typing import Any

from aiosmtpd.controller import Controller


class Keeps:
    def __init__(self) -> None:
        self.mails: list[Any] = []

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        self.mails.append(envelope)
        return "250 taken"


class MailServer(Controller):
    """`port` is known once it has started."""

    def __init__(self) -> None:
        self.keeps = Keeps()
        super().__init__(self.keeps, hostname="127.0.0.1", port=0)

    def stop(self, no_assert: bool = True) -> None:
        """Once more changes nothing."""
        if self._thread is not None:
            super().stop(no_assert=no_assert)

    def _trigger_server(self) -> None:
        # aiosmtpd connects to the port it was given, which is 0; here the system has chosen one.
        assert self.server is not None
        self.port = self.server.sockets[0].getsockname()[1]
        super()._trigger_server()
