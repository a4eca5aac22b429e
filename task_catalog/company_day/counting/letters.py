"""Whose is it: counts by the letters of the clients."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from task_catalog.company_day.company import Company


def by_client(company: Company, client_ids: Iterable[int | None]) -> dict[str, int]:
    """How many of the ids are each client's, by letter, and all of them; what is nobody's shows under "?"."""
    counts = Counter(company.letter_of(client_id or 0) for client_id in client_ids)
    return {**dict.fromkeys(company.clients, 0), **counts, "all": counts.total()}
