"""Mail to the outside world: one message, one effect key, one Message-ID.

A message names templates, not text: `<template>.subject.txt`, `<template>.txt` and `<template>.html` below
`task_catalog/mail/`, which an adopter overrides in a template folder of his own. The rules of a page's `<style>` are
written into its elements, as mail programs want it; without the package css-inline they stay where they are, and
programs that drop `<style>` show the same words without the look. Its real form speaks through the mail server of the
Django settings and keeps one connection open for all messages of a `session()`.
"""

from __future__ import annotations

import contextlib
import contextvars
import email.utils
import functools
import hashlib
import logging
import re
import smtplib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any, Protocol

from django.conf import settings
from django.core import mail as django_mail
from django.core.mail import EmailMultiAlternatives
from django.core.mail.backends.base import BaseEmailBackend
from django.core.mail.backends.smtp import EmailBackend as SmtpBackend
from django.template.loader import render_to_string
from django.utils.encoding import punycode

from task_catalog.conf import catalog
from task_catalog.extras import is_installed
from task_catalog.rules.recipients import valid_addresses
from youtility_tasks import BadInput, Transient, current_tenant, effects

logger = logging.getLogger(__name__)

SUBJECT_LIMIT = 200
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_TURNING = re.compile(r"[\u202a-\u202e\u2066-\u2069]")
"""What turns the direction of text until something ends it; left open, it would turn all that a list of mails shows after it."""


class Unreachable(Transient):
    """No connection to the mail server: whoever has more messages need not try them now."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attachment:
    """A file that goes along, already in memory."""

    name: str
    content: bytes
    media_type: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One mail: which task sends it, under which effect key, to whom, made from which templates."""

    task: str
    key: str
    to: Sequence[str]
    template: str
    context: Mapping[str, Any] = field(default_factory=dict)
    cc: Sequence[str] = ()
    reply_to: str | None = None
    attachments: Sequence[Attachment] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class SendReport:
    """Who the mail server took the message for, and what is to be said about the others."""

    accepted: tuple[str, ...]
    warnings: tuple[str, ...] = ()


class Mailer(Protocol):
    """Something that delivers messages."""

    def deliver(self, message: Message, message_id: str) -> SendReport:
        """Hand one message over; see `deliver` of this module for what it raises."""
        ...

    def session(self) -> AbstractContextManager[None]:
        """Keep one connection open for the messages delivered inside the block."""
        ...


class DjangoMailer:
    """Delivers through the mail server that the Django settings name (`EMAIL_*`, or `MAILERS` from Django 6.1)."""

    def __init__(self) -> None:
        self._open: contextvars.ContextVar[_Connection | None] = contextvars.ContextVar("open_mail", default=None)

    @contextlib.contextmanager
    def session(self) -> Iterator[None]:
        if self._open.get() is not None:
            yield
            return
        connection = _Connection()
        token = self._open.set(connection)
        try:
            yield
        finally:
            self._open.reset(token)
            connection.close()

    def deliver(self, message: Message, message_id: str) -> SendReport:
        to = valid_addresses(message.to)
        copied = valid_addresses(message.cc)
        first = {address.casefold() for address in to.addresses}
        cc = tuple(address for address in copied.addresses if address.casefold() not in first)
        if not to.addresses and not cc:
            raise BadInput(f"Mail {message.key!r} has no valid recipient. Check the addresses of those it is for.")
        ready = _compose(message, message_id, to.addresses, cc)
        have_it = _Taken()
        missing = [address for address in (*to.addresses, *cc) if address not in have_it]
        if not missing:
            return SendReport(accepted=(), warnings=(*to.warnings, *copied.warnings))
        with self.session():
            connection = self._open.get()
            assert connection is not None  # noqa: S101 - session() has just set it
            refused = connection.send(ready, missing, is_first=len(missing) == len(to.addresses) + len(cc))
        accepted = tuple(address for address in missing if address not in refused)
        waiting = [f"{address!r}: {why}" for address, why in refused.items() if why.startswith("4")]
        if waiting and have_it.remember(accepted):
            raise Transient(
                f"The mail server refused some recipients for now: {'; '.join(waiting)}. The others have the mail, and do not "
                "get it again."
            )
        refusals = (f"recipient {address!r} was refused by the mail server: {why}" for address, why in refused.items())
        return SendReport(accepted=accepted, warnings=(*to.warnings, *copied.warnings, *refusals))


class _Taken:
    """For whom the mail server took the message in earlier attempts; kept with the effect that is being performed."""

    def __init__(self) -> None:
        self._part = effects.part()
        self._known = set((self._part.done if self._part else "").split())

    def __contains__(self, address: str) -> bool:
        return self._digest(address) in self._known

    def remember(self, addresses: Sequence[str]) -> bool:
        """False when there is no effect, and so no next attempt for the others."""
        if self._part is None:
            return False
        self._known.update(map(self._digest, addresses))
        self._part.done = " ".join(sorted(self._known))
        return True

    @staticmethod
    def _digest(address: str) -> str:
        return hashlib.sha256(address.casefold().encode()).hexdigest()[:16]


_mailer: Mailer = DjangoMailer()


def deliver(message: Message, message_id: str) -> SendReport:
    """Hand one message to the mail server under this Message-ID; the report says who was refused.

    Raises Unreachable when there is no connection; Transient when the server answers 4xx or drops the connection (the
    message may then have arrived: the next attempt carries the same Message-ID); and BadInput when every recipient or
    the message itself is refused for good, when nobody can be written to, or when a header would hold a line break.
    One address refused for good beside accepted ones is a warning. One refused for now is Transient: the next attempt of
    the effect goes to those alone who have not got the message; outside of an effect there is none, and it is a warning.
    """
    return _mailer.deliver(message, message_id)


def session() -> AbstractContextManager[None]:
    """Use one connection for every message delivered inside the block; a broken one is replaced."""
    return _mailer.session()


def one_line(text: str) -> str:
    """A subject: control characters and runs of blanks become one blank, what turns text is left out; cut at 200 characters."""
    flat = " ".join(_CONTROL.sub(" ", _TURNING.sub("", text)).split())
    return flat if len(flat) <= SUBJECT_LIMIT else flat[: SUBJECT_LIMIT - 1] + "…"


def _compose(message: Message, message_id: str, to: Sequence[str], cc: Sequence[str]) -> EmailMultiAlternatives:
    sender = catalog().mail_from or settings.DEFAULT_FROM_EMAIL
    headers = {
        "Message-ID": message_id,
        "Auto-Submitted": "auto-generated",
        "X-Youtility-Task": message.task,
        "X-Youtility-Effect": message.key,
        "X-Youtility-Tenant": str(current_tenant() or 0),
    }
    for name, value in [*headers.items(), ("From", sender), ("Reply-To", message.reply_to or "")]:
        if _CONTROL.search(value):
            raise BadInput(f"Mail header {name} would hold a control character: {value!r}. It must be one plain line.")
    folder = f"task_catalog/mail/{message.template}"
    context = dict(message.context)
    subject = one_line(render_to_string(f"{folder}.subject.txt", context))
    mail = EmailMultiAlternatives(
        subject=subject,
        body=render_to_string(f"{folder}.txt", context).strip() + "\n",
        from_email=sender,
        to=[_ascii_domain(address) for address in to],
        cc=[_ascii_domain(address) for address in cc],
        reply_to=[message.reply_to] if message.reply_to else None,
        headers=headers,
    )
    page = render_to_string(f"{folder}.html", {**context, "subject": subject})
    mail.attach_alternative(_inliner()(page), "text/html")
    for attachment in message.attachments:
        mail.attach(attachment.name, attachment.content, attachment.media_type)
    return mail


@functools.cache
def _inliner() -> Callable[[str], str]:
    """What writes the rules of a page's `<style>` into its elements; never reads a style sheet from elsewhere."""
    if not is_installed("css_inline"):
        logger.info("mails keep their styles in <style>: css-inline is missing, it comes with the extra 'reports'")
        return str
    import css_inline

    inline: Callable[[str], str] = css_inline.CSSInliner(load_remote_stylesheets=False, keep_at_rules=True).inline
    return inline


def _ascii_domain(address: str) -> str:
    local, _, domain = address.rpartition("@")
    return f"{local}@{punycode(domain)}"


class _Connection:
    """One connection to the mail server, opened when first needed."""

    def __init__(self) -> None:
        self._backend: BaseEmailBackend | None = None

    def send(self, mail: EmailMultiAlternatives, recipients: Sequence[str], *, is_first: bool) -> dict[str, str]:
        """Send one mail to these of its recipients; returns those refused, each with the server's words.

        `is_first`: nobody has it yet. Then it is an error when all are refused for good.
        """
        backend = self._ready_backend()
        try:
            if not isinstance(backend, SmtpBackend):
                backend.send_messages([mail])
                return {}
            return _send_by_smtp(backend, mail, recipients)
        except smtplib.SMTPRecipientsRefused as error:
            words = _refusals(error.recipients, recipients)
            if all(500 <= code < 600 for code, _ in error.recipients.values()):
                if not is_first:
                    return _refusals(error.recipients, recipients)
                raise BadInput(f"The mail server refused every recipient for good: {words!r}.") from error
            self.close()
            raise Transient(f"The mail server refused the recipients for now: {words!r}.") from error
        except smtplib.SMTPDataError as error:
            answer = f"{error.smtp_code} {_words(error.smtp_error)}"
            if 500 <= error.smtp_code < 600:
                raise BadInput(f"The mail server refused the message for good: {answer!r}.") from error
            self.close()
            raise Transient(f"The mail server refused the message for now: {answer!r}.") from error
        except (smtplib.SMTPException, OSError) as error:
            self.close()
            raise Transient(f"The mail server broke off: {error}.") from error

    def close(self) -> None:
        """Say goodbye; the next mail opens a new connection. Never fails: what matters has been sent."""
        backend, self._backend = self._backend, None
        if backend is not None:
            with contextlib.suppress(smtplib.SMTPException, OSError):
                backend.close()

    def _ready_backend(self) -> BaseEmailBackend:
        if self._backend is not None and not _answers(self._backend):
            self.close()
        if self._backend is None:
            backend = _configured_backend()
            if isinstance(backend, SmtpBackend) and backend.timeout is None:
                backend.timeout = catalog().mail_timeout_s
            try:
                backend.open()
            except (smtplib.SMTPException, OSError) as error:
                with contextlib.suppress(smtplib.SMTPException, OSError):
                    backend.close()
                raise Unreachable(f"The mail server could not be reached: {error}.") from error
            self._backend = backend
        return self._backend


def _configured_backend() -> BaseEmailBackend:
    mailers = getattr(django_mail, "mailers", None)  # Django 6.1 deprecates get_connection()
    backend: BaseEmailBackend = django_mail.get_connection() if mailers is None else mailers.default
    return backend


def _answers(backend: BaseEmailBackend) -> bool:
    """Whether an open connection still works; servers end idle ones, and some after a number of messages."""
    if not isinstance(backend, SmtpBackend):
        return True
    if backend.connection is None:
        return False
    try:
        code, _ = backend.connection.rset()
    except (smtplib.SMTPException, OSError):
        return False
    return code == 250


def _send_by_smtp(backend: SmtpBackend, mail: EmailMultiAlternatives, recipients: Sequence[str]) -> dict[str, str]:
    if backend.connection is None:
        raise smtplib.SMTPServerDisconnected("no connection was opened")
    _, sender = email.utils.parseaddr(str(mail.from_email))
    addresses = [_ascii_domain(address) for address in recipients]
    refused = backend.connection.send_message(mail.message(), from_addr=sender, to_addrs=addresses)
    return _refusals(refused, recipients)


def _refusals(refused: Mapping[str, tuple[int, bytes]], recipients: Sequence[str]) -> dict[str, str]:
    """The refused recipients as they were given to us, with the server's answer."""
    given = {_ascii_domain(address): address for address in recipients}
    return {given.get(address, address): f"{code} {_words(why)}" for address, (code, why) in refused.items()}


def _words(answer: bytes | str) -> str:
    return answer.decode(errors="replace") if isinstance(answer, bytes) else answer
