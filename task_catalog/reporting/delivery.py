"""To whom a report goes, from what a form says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from task_catalog.rules.recipients import split_addresses, valid_addresses
from youtility_tasks import BadInput


@dataclass(frozen=True, slots=True)
class Delivery:
    """Valid addresses, and a word on those that are not."""

    to: tuple[str, ...]
    cc: tuple[str, ...]
    warnings: tuple[str, ...] = ()


def of_form(form: Mapping[str, Any]) -> Delivery:
    """The form's `to_addr` and `cc`, lists or comma text. Raises BadInput when nobody is left to send it to."""
    return of(form.get("to_addr"), form.get("cc"))


def of(to: Any, cc: Any) -> Delivery:
    """Addresses given as lists or comma text. Raises BadInput when nobody is left to send it to."""
    first, copied = valid_addresses(_listed("to_addr", to)), valid_addresses(_listed("cc", cc))
    if not first.addresses:
        raise BadInput(f"to_addr is {to!r:.200}; right is at least one e-mail address.")
    return Delivery(first.addresses, copied.addresses, (*first.warnings, *copied.warnings))


def _listed(name: str, given: Any) -> list[str]:
    if given is None or given == "":
        return []
    if isinstance(given, str):
        return split_addresses(given)
    if isinstance(given, list) and all(isinstance(each, str) for each in given):
        return given
    raise BadInput(f"{name} is {given!r:.200}; right is a list of e-mail addresses.")
