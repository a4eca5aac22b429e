"""Who gets a mail: from rows to address lists. Plain functions; whoever calls them has read the rows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from django.core.exceptions import ValidationError
from django.core.validators import validate_email

SITE_IN_CHARGE = "SITEINCHARGE"


@dataclass(frozen=True, slots=True, kw_only=True)
class Contact:
    """What the rules need to know of a person."""

    id: int
    email: str | None
    client_id: int | None
    bu_id: int | None = None
    name: str = ""
    is_verified: bool = False
    is_enabled: bool = False
    is_admin: bool = False
    designation: str = ""
    worktype: str = ""
    extras: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Recipients:
    """Addresses that may be written to, in the order given, and a word on each that may not."""

    addresses: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


def valid_addresses(given: Iterable[str | None]) -> Recipients:
    """Trim the addresses, drop empty and invalid ones with a warning, keep one of those that differ only in case."""
    kept: dict[str, str] = {}
    warnings: list[str] = []
    for address in given:
        trimmed = (address or "").strip()
        if not trimmed:
            warnings.append("a recipient without an address was left out")
            continue
        try:
            validate_email(trimmed)
        except ValidationError:
            warnings.append(f"recipient {trimmed[:254]!r} is not an e-mail address and was left out")
            continue
        kept.setdefault(trimmed.casefold(), trimmed)
    return Recipients(tuple(kept.values()), tuple(warnings))


def addresses_of(
    people: Iterable[Contact | None], *, client_id: int, none_id: int, extra: Iterable[str | None] = ()
) -> Recipients:
    """The addresses of people of one client, then the extra ones.

    The NONE person and people of another client are left out, each with a warning: a row that points into another
    company must never carry this company's news there.
    """
    found: list[str | None] = []
    warnings: list[str] = []
    seen: set[int] = set()
    for person in people:
        if person is None or person.id in seen:
            continue
        seen.add(person.id)
        if person.id == none_id:
            warnings.append("the NONE person has no address and was left out")
        elif person.client_id != client_id:
            warnings.append(f"person {person.id} belongs to another client and was left out")
        else:
            found.append(person.email)
    valid = valid_addresses([*found, *extra])
    return Recipients(valid.addresses, (*warnings, *valid.warnings))


def split_addresses(text: str | None) -> list[str]:
    """The parts of a typed list; commas and semicolons separate, empty parts vanish."""
    return [part.strip() for part in (text or "").replace(";", ",").split(",") if part.strip()]


def site_in_charge(people: Iterable[Contact], *, site_id: int, site_group_ids: Iterable[int]) -> list[Contact]:
    """The verified people in charge of a site.

    They have the designation or the work type SITEINCHARGE, and either belong to the site or look after a site group
    that contains it (`site_group_ids`: the groups with this site).
    """
    groups = frozenset(site_group_ids)
    return [
        person
        for person in people
        if person.is_verified
        and SITE_IN_CHARGE in (person.designation, person.worktype)
        and (person.bu_id == site_id or not groups.isdisjoint(assigned_site_groups(person.extras)))
    ]


def client_admins(people: Iterable[Contact]) -> list[Contact]:
    """The verified and enabled people who administer the client or asked for its alert mails."""
    return [
        person
        for person in people
        if person.is_verified and person.is_enabled and (person.is_admin or is_true(person.extras.get("alertmails")))
    ]


def assigned_site_groups(extras: Mapping[str, Any]) -> frozenset[int]:
    """Ids of the site groups that a person looks after; the application stores them as strings, in a list or alone."""
    stored = extras.get("assignsitegroup")
    values = stored if isinstance(stored, list) else [stored]
    return frozenset(number for value in values if (number := _as_id(value)) is not None)


def is_true(value: object) -> bool:
    """Whether a JSON flag is set; the application also writes the words "True" and "true"."""
    return value is True or (isinstance(value, str) and value.lower() == "true")


def _as_id(value: object) -> int | None:
    if isinstance(value, str) and value.strip().isdecimal():
        return int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) else None
