"""A real SMTP server in a thread that keeps what it takes and answers as a test tells it."""

from __future__ import annotations

import asyncio
import email.policy
import threading
from dataclasses import dataclass
from email.message import EmailMessage
from email.parser import BytesParser
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session


@dataclass(frozen=True)
class Received:
    """One message that the server has read to its end, whatever it answered then."""

    sender: str
    recipients: tuple[str, ...]
    message: EmailMessage

    @property
    def task(self) -> str:
        return str(self.message["X-Youtility-Task"]).strip()  # a long name stands on a line of its own

    @property
    def effect(self) -> str:
        return str(self.message["X-Youtility-Effect"]).strip()

    @property
    def text(self) -> str:
        return _part(self.message, "plain")

    @property
    def html(self) -> str:
        return _part(self.message, "html")


class Sink:
    """Answers 250 unless `on_recipient` or `after_data` says otherwise; "drop" closes the connection instead.

    As a tarpit it lets a client wait `tarpit_s` seconds for the answer to each recipient.
    """

    def __init__(self) -> None:
        self.received: list[Received] = []
        self.on_recipient: dict[str, str] = {}
        self.after_data = "250 taken"
        self.tarpit_s = 0.0
        self.connections = 0
        self.hangs_up_after = 0
        self._taken_on_connection = 0
        self._hung_up = threading.Event()

    def wait_until_it_hung_up(self) -> None:
        """Until a connection has ended from this side; at most five seconds."""
        assert self._hung_up.wait(5)

    def connection_ended(self) -> None:
        if self.received:  # the first to come and go is aiosmtpd itself, to see that its server is up
            self._hung_up.set()

    async def handle_EHLO(
        self, server: SMTP, session: Session, envelope: Envelope, hostname: str, responses: list[str]
    ) -> list[str]:
        self.connections += 1
        self._taken_on_connection = 0
        session.host_name = hostname
        return responses

    async def handle_RCPT(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        await asyncio.sleep(self.tarpit_s)
        answer = self.on_recipient.get(address, "250 fine")
        if answer.startswith("250"):
            envelope.rcpt_tos.append(address)
        return answer

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        content = envelope.content
        assert isinstance(content, bytes)
        message = BytesParser(policy=email.policy.default).parsebytes(content)
        assert isinstance(message, EmailMessage)
        self.received.append(Received(envelope.mail_from or "", tuple(envelope.rcpt_tos), message))
        self._taken_on_connection += 1
        transport: Any = server.transport
        if self.after_data == "drop":
            transport.abort()
        elif self._taken_on_connection == self.hangs_up_after:
            asyncio.get_running_loop().call_later(0.05, transport.abort)
        return self.after_data

    def of_task(self, name: str) -> list[Received]:
        return [each for each in self.received if each.task == name]


def _part(message: EmailMessage, kind: str) -> str:
    part = message.get_body((kind,))
    assert part is not None
    text: str = part.get_content()
    return text


class _ToldOfTheEnd(SMTP):
    """Tells the sink when a connection is over."""

    def connection_lost(self, error: Exception | None) -> None:
        super().connection_lost(error)
        self.event_handler.connection_ended()


class SinkController(Controller):
    """Serves a Sink on a free port of this machine."""

    def __init__(self, sink: Sink) -> None:
        super().__init__(sink, hostname="127.0.0.1", port=0)

    def factory(self) -> SMTP:
        return _ToldOfTheEnd(self.handler, **self.SMTP_kwargs)

    def _trigger_server(self) -> None:
        # aiosmtpd connects to the port it was given, which is 0; here the system has chosen one.
        assert self.server is not None
        self.port = self.server.sockets[0].getsockname()[1]
        super()._trigger_server()
