"""Sends the messages of one job, each once and none held up by another."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial

from task_catalog.ports import mail
from youtility_tasks import BadInput, NotReady, Transient, effects, errors


@dataclass(slots=True)
class Sent:
    """What became of them."""

    now: int = 0
    before: int = 0
    warnings: list[str] = field(default_factory=list)

    @property
    def status(self) -> str:
        """Either "ok", or "duplicate" when every message had been sent before."""
        return "ok" if self.now or not self.before else "duplicate"


@dataclass(frozen=True, slots=True)
class Letter:
    """A message and when it is made: only if it has not been sent before."""

    key: str
    make: Callable[[], mail.Message]


def send_each(letters: Sequence[Letter], *, bu_id: int | None) -> Sent:
    """Send each message under its effect key, over one connection; outside a transaction.

    A refusal of one for good is a warning; of all, BadInput. If one cannot be sent now, the others are, and then its
    error is raised: the next attempt sends what is left. Without a connection the rest is not tried.
    """
    sent = Sent()
    refused: list[BadInput] = []
    waiting: list[Exception] = []
    with mail.session():
        for letter in letters:
            try:
                done = effects.perform(letter.key, partial(_deliver, letter, sent), bu_id=bu_id)
            except BadInput as error:
                refused.append(error)
                sent.warnings.append(f"{letter.key}: {error}")
            except (mail.Unreachable, errors.SoftTimeLimit):
                raise
            except (Transient, NotReady) as error:
                waiting.append(error)
            else:
                sent.now += done
                sent.before += not done
    if waiting:
        raise waiting[0]
    if refused and not sent.now and not sent.before:
        raise refused[0]
    return sent


def _deliver(letter: Letter, sent: Sent, message_id: str) -> None:
    sent.warnings.extend(mail.deliver(letter.make(), message_id).warnings)
