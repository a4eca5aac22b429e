"""What devices deliver (R-GQL), what their photos show (R-FACE), what reaches broker and bucket (R-MQ, R-MED)."""

from __future__ import annotations

from collections import Counter
from datetime import date

from task_catalog.company_day.definitions import CLIENTS, Client, midnight
from task_catalog.company_day.traffic import (
    FILES_PER_OLD_FOLDER,
    FILES_PER_OTHER_FOLDER,
    FOLDERS,
    OLD_FILES_BESIDE_NEW,
    OLD_FOLDERS,
    PHOTO_CYCLE,
    PHOTO_TURNS,
    TRACK_REPEATS,
    TRACK_ROWS,
    TRACKS,
)

from .calendar import sweeps
from .permits import permits
from .work import Outcome

SHOWN = ("match", "mismatch", "no_face", "no_reference")


def mutations(ends: list[Outcome]) -> dict[str, int]:
    """Different mutations by what they carry."""
    begun = sum(end.is_due and end.status != "COMPLETED" and end.is_visited for end in ends)
    punches = 2 * sum(client.punches for client in CLIENTS)
    return {
        "completions": sum(end.status == "COMPLETED" for end in ends),
        "starts": begun,
        "tickets": sum(number % 2 for client in CLIENTS for number in range(client.tickets)),
        "punches": punches,
        "photos": punches,
        "permits": sum(permit.is_mobile for permit in permits()),
        "tracks": TRACKS * len(CLIENTS),
    }


def photos() -> list[tuple[Client, str, str]]:
    """Whose photo, of which side of the punch, and what it shows."""
    return [
        (client, side, PHOTO_TURNS.get((2 * event + (side == "out")) % PHOTO_CYCLE, "match"))
        for client in CLIENTS
        for event in range(client.punches)
        for side in ("in", "out")
    ]


def tracks() -> tuple[int, int]:
    """Rows and repeated rows of one client's device."""
    repeated = TRACK_REPEATS * (TRACKS - 1)
    return TRACKS * TRACK_ROWS - repeated, repeated


def media(day: date) -> dict[str, int]:
    """Files moved to the bucket, folders that were left empty, files that stay; nothing moves but at its hour."""
    old = OLD_FOLDERS * FILES_PER_OLD_FOLDER + OLD_FILES_BESIDE_NEW
    new = (FOLDERS - OLD_FOLDERS) * FILES_PER_OTHER_FOLDER
    runs = [run for run in sweeps("move_media_to_cloud_storage", day) if run >= midnight(day)]
    moved = old if runs else 0
    return {"moved": moved, "folders removed": OLD_FOLDERS if runs else 0, "left": old + new - moved}


def count_shown() -> dict[str, int]:
    """Photos by what they show."""
    counts = Counter(shown for _, _, shown in photos())
    return {shown: counts[shown] for shown in SHOWN}
