"""Totals of what comes from devices and what leaves the house (catalog.md 5.7)."""

from __future__ import annotations

from task_catalog.company_day.definitions import CLIENTS
from task_catalog.company_day.traffic import ASSET_CHANGES, BAD_MUTATIONS_AFTER, TWICE_EVERY

from .happened import Happened
from .mobile import count_shown, media, mutations, photos, tracks
from .values import Totals, by_client


def deliveries(found: Happened) -> dict[str, int]:
    """Mutations as they arrive: applied, known already, refused."""
    applied = sum(mutations(found.ends).values())
    repeated, bad = applied // TWICE_EVERY, len(BAD_MUTATIONS_AFTER) * len(CLIENTS)
    return {"applied": applied, "duplicate": repeated, "failed": bad, "all": applied + repeated + bad}


def mismatches() -> list[str]:
    """The letters of those whose photo shows somebody else."""
    return [client.letter for client, _, shown in photos() if shown == "mismatch"]


def traffic(found: Happened) -> Totals:
    """Deliveries, tracks, photos, the control room's messages, the bucket."""
    kinds = mutations(found.ends)
    rows, again = tracks()
    known = [(side, shown) for _, side, shown in photos()]
    letters = [CLIENTS[number % len(CLIENTS)].letter for number in range(ASSET_CHANGES)]
    moved = media(found.day)
    return {
        "mutations applied": {**kinds, "all": sum(kinds.values())},
        "mutations delivered": deliveries(found),
        "track rows": {**{client.letter: rows for client in CLIENTS}, "all": rows * len(CLIENTS)},
        "track rows that came again": again * len(CLIENTS),
        "what photos show": count_shown(),
        "people recognised": {side: known.count((side, "match")) for side in ("in", "out")},
        "messages to the control room": {
            "asset changes": ASSET_CHANGES,
            "mismatches": len(mismatches()),
            "all": ASSET_CHANGES + len(mismatches()),
        },
        "messages to the control room by client": by_client([*letters, *mismatches()]),
        "old media": moved,
        "blobs in the bucket": moved["moved"],
    }
