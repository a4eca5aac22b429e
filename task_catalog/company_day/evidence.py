"""What is left of a day outside of its database."""

from __future__ import annotations

from dataclasses import dataclass

from .ears import Heard
from .sink import Delivered
from .yard import Yard


@dataclass(frozen=True, slots=True)
class Evidence:
    """Mails, messages to the control room, files."""

    mails: list[Delivered]
    heard: list[Heard]
    yard: Yard
