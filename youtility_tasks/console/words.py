"""Reads what stands behind the question mark of a page; what cannot be meant is answered with what would be right."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterable, Mapping
from datetime import MAXYEAR, MINYEAR, datetime
from typing import NoReturn

from django.http import QueryDict
from django.utils import timezone
from django.utils.dateparse import parse_datetime

from youtility_tasks.addresses import LARGEST_ID
from youtility_tasks.problems import Problem

LONGEST_TEXT = 300
EVERYWHERE = ("tenant", "part", "csp")
"""Words that every page takes."""


class Words:
    """The words of one address, read by name."""

    def __init__(self, given: QueryDict) -> None:
        self._given = given

    def only(self, known: Collection[str]) -> None:
        """Raises Problem 422 if there are others than these: a filter that is misspelt would show everything."""
        for name in self._given:
            if name not in known and name not in EVERYWHERE:
                near = difflib.get_close_matches(name, known, 1)
                meant = f" Did you mean {near[0]!r}?" if near else ""
                listed = ", ".join(sorted(known)) or "none"
                _refuse(f"The address has the word {name[:60]!r}; this page takes: {listed}.{meant}")

    def text(self, name: str, *, longest: int = LONGEST_TEXT) -> str:
        """What was said, without the blanks around it; empty if nothing."""
        said = self._given.get(name, "").strip()
        if len(said) > longest:
            _refuse(f"{name} has {len(said):,} characters; up to {longest} are taken.")
        if "\x00" in said:
            _refuse(f"{name} has a NUL character, which no column holds.")
        return said

    def choice(self, name: str, known: Iterable[str]) -> str:
        """One of these words, or empty."""
        said = self.text(name)
        if said and said not in (names := list(known)):
            _refuse(f"{name} is {said[:60]!r}; right is one of {', '.join(names)}.")
        return said

    def choices(self, name: str, known: Iterable[str]) -> list[str]:
        """Any of these words, given once each or joined by commas."""
        said = [word.strip() for each in self._given.getlist(name) for word in each.split(",") if word.strip()]
        names = list(known)
        for word in said:
            if word not in names:
                _refuse(f"{name} is {word[:60]!r}; right is one or more of {', '.join(names)}.")
        return list(dict.fromkeys(said))

    def number(self, name: str, *, least: int = 0, most: int = LARGEST_ID) -> int | None:
        """A whole number, or None if nothing was said."""
        said = self.text(name)
        if not said:
            return None
        if not (said.isascii() and said.isdecimal() and len(said) <= len(str(most)) and least <= int(said) <= most):
            _refuse(f"{name} is {said[:40]!r}; right is a whole number from {least} to {most}.")
        return int(said)

    def instant(self, name: str) -> datetime | None:
        """An instant, "2026-11-26T09:00+01:00" or (in UTC) "2026-11-26T09:00"; None if nothing was said."""
        said = self.text(name)
        if not said:
            return None
        try:
            # A plus that was not quoted is a blank by now.
            found = parse_datetime(said.replace(" ", "+") if said.count(":") > 1 and "T" in said else said)
        except ValueError:
            found = None
        if found is None or not MINYEAR < found.year < MAXYEAR:  # beside them another zone's year is none
            _refuse(f"{name} is {said[:40]!r}; right is an instant such as 2026-11-26T09:00 (UTC).")
        return found if timezone.is_aware(found) else timezone.make_aware(found, timezone.get_fixed_timezone(0))

    def given(self) -> Mapping[str, list[str]]:
        """All of them, as they were said."""
        return {name: self._given.getlist(name) for name in self._given}


def _refuse(detail: str) -> NoReturn:
    raise Problem(422, "wrong-word", "That address cannot be meant", detail)
