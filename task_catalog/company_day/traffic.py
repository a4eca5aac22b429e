"""What devices, machines and cameras do on the day, as plain data (catalog.md 5.7)."""

from __future__ import annotations

from datetime import timedelta

FIRST_PUNCH_AFTER, PUNCH_EVERY, SHIFT_LENGTH = timedelta(hours=1), timedelta(minutes=4), timedelta(hours=8)
PHOTO_AFTER = timedelta(minutes=10)
"""How long after a punch its photo comes: as long as the widest gap between two instants of the day."""
PHOTO_TURNS = {0: "no_reference", 1: "no_face", 2: "mismatch"}
"""What a photo shows, by its index mod 25: the punch in of event i has index 2i, its punch out 2i + 1."""
PHOTO_CYCLE = 25
DISTANCES = {"match": 0.21, "mismatch": 0.62}

TRACKS, TRACK_ROWS, TRACK_REPEATS = 20, 50, 5
"""Batches a client, rows a batch, rows of the former batch that come again."""
FIRST_TRACK_AFTER, TRACK_EVERY = timedelta(hours=2), timedelta(minutes=45)
UNKNOWN_TABLE_AFTER = timedelta(hours=5, minutes=3)
"""When each client's device sends a batch for a table that does not exist."""

DOWNLOADS, BAD_DOWNLOADS = 10, 1
"""Questions of devices a client, of which the last ones are malformed."""
FIRST_DOWNLOAD_AFTER, DOWNLOAD_EVERY = timedelta(hours=3), timedelta(hours=1)

TWICE_EVERY = 20
"""Every 20th mutation of the company, in the order of first delivery, is delivered twice."""
BAD_MUTATIONS_AFTER = (timedelta(hours=9, minutes=2), timedelta(hours=17, minutes=2))
"""When each client's devices send a mutation that cannot be read."""

ASSET_CHANGES = 300
FIRST_ASSET_CHANGE_AFTER, ASSET_CHANGE_EVERY = timedelta(minutes=2), timedelta(minutes=4, seconds=45)
BROKER_DOWN_FROM, BROKER_DOWN_UNTIL = timedelta(hours=12), timedelta(hours=13)

FOLDERS, OLD_FOLDERS = 40, 15
FILES_PER_OLD_FOLDER, FILES_PER_OTHER_FOLDER = 12, 4
OLD_FILES_BESIDE_NEW = 20
"""Old files in folders that also hold new ones."""
OLD_AGE, NEW_AGE = timedelta(days=61), timedelta(days=59)
MOVED_AFTER = timedelta(days=60)
