"""What a total can be."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from task_catalog.company_day.definitions import CLIENTS

Value = int | str | dict[str, int] | dict[str, str]
"""A total: a number, a text, or numbers or texts by name."""
Totals = dict[str, Value]


def by_client(found: Iterable[str]) -> dict[str, int]:
    """Counts per client's letter, and all of them; `found` holds one letter for each thing counted."""
    counts = Counter(found)
    return {**{client.letter: counts[client.letter] for client in CLIENTS}, "all": counts.total()}


def by_word(words: Iterable[str], found: Iterable[str]) -> dict[str, int]:
    """Counts of each word, also of those that were not found, and all of them."""
    counts = Counter(found)
    return {**{word: counts[word] for word in words}, "all": counts.total()}
