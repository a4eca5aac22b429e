"""Sends the mails that transactions promised, after they committed: this run's and what earlier runs left behind."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import partial

from django.db import transaction

from task_catalog.ports import mail
from task_catalog.rules.recipients import valid_addresses
from youtility_tasks import BadInput, NotReady, Transient, current_tenant, effects, errors

logger = logging.getLogger(__name__)

PAGE = 200


class Outbox:
    """The promised mails of one kind, by the prefix of their effect keys; serves several tenants one after another.

    `compose` makes the message of a promise, or None when there is nothing left to tell. A mail that cannot leave now
    stays promised and is not tried again by this object. `ended(promise, is_sent)` is called in the transaction that
    stores that one was sent, or never will be.
    """

    def __init__(
        self,
        prefix: str,
        compose: Callable[[effects.Pending], mail.Message | None],
        ended: Callable[[effects.Pending, bool], None] | None = None,
    ) -> None:
        self._prefix = prefix
        self._compose = compose
        self._ended = ended
        self._waiting: set[tuple[int | None, str]] = set()
        """What was tried and is promised still."""
        self.sent = 0
        self.warnings: list[str] = []
        self.failures: list[tuple[str, Exception]] = []
        self.unreachable = False

    def send(self, *, time_is_up: Callable[[], bool] = lambda: False) -> None:
        """Send what the current tenant's transactions have promised so far; outside a transaction.

        Stops when the mail server cannot be reached or time is up. Failures are collected, not raised.
        """
        with mail.session():
            while not self.unreachable:
                left = sum(1 for tenant_id, _ in self._waiting if tenant_id == current_tenant())
                page = [
                    promise
                    for promise in effects.pending(self._prefix, limit=PAGE + left)
                    if (current_tenant(), promise.key) not in self._waiting
                ]
                if not page:
                    return
                for promise in page:
                    if self.unreachable or time_is_up():
                        return
                    self._waiting.add((current_tenant(), promise.key))
                    if self._send_one(promise):
                        self._waiting.discard((current_tenant(), promise.key))

    def _send_one(self, promise: effects.Pending) -> bool:
        """Whether nothing is left to do of it."""
        try:
            message = self._compose(promise)
            if message is None:
                self._give_up(promise, "nothing left to tell")
                return True
            people = valid_addresses([*message.to, *message.cc])
            if not people.addresses:
                self._give_up(promise, "no_recipients")
                self.warnings.extend([f"{promise.key}: no_recipients", *people.warnings])
                return True
            then = None if self._ended is None else partial(self._ended, promise, True)
            self.sent += effects.perform(promise.key, lambda message_id: self._deliver(message, message_id), then=then)
            return True
        except NotReady:
            logger.info("mail left to the job that is sending it key=%s", promise.key)
        except BadInput as error:
            self._give_up(promise, str(error))
            self.warnings.append(f"{promise.key}: {error}")
            return True
        except errors.SoftTimeLimit:
            raise
        except Transient as error:
            self.unreachable = isinstance(error, mail.Unreachable)
            self.failures.append((promise.key, error))
        except Exception as error:
            logger.warning("mail failed, the others go on key=%s", promise.key, exc_info=True)
            self.failures.append((promise.key, error))
        return False

    def _give_up(self, promise: effects.Pending, why: str) -> None:
        with transaction.atomic():
            effects.skip(promise.key, why)
            if self._ended is not None:
                self._ended(promise, False)

    def _deliver(self, message: mail.Message, message_id: str) -> None:
        report = mail.deliver(message, message_id)
        self.warnings.extend(f"{message.key}: {warning}" for warning in report.warnings)
