"""What the company has on disk when the day begins: people's photos, old media, report files that nobody fetched.

File times follow the played clock, as those do that the day's own reports get.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path

from .company import Company
from .definitions import midnight
from .faces import REFERENCE
from .reporting import OLD_FILES, OLD_FILES_AGE
from .traffic import (
    FILES_PER_OLD_FOLDER,
    FILES_PER_OTHER_FOLDER,
    FOLDERS,
    NEW_AGE,
    OLD_AGE,
    OLD_FILES_BESIDE_NEW,
    OLD_FOLDERS,
)

MEDIA_FOLDER = "before"
"""Below a client's folder; what the day itself brings lies beside it."""


@dataclass(frozen=True, slots=True)
class Yard:
    """The folders of one day."""

    folder: Path

    @property
    def media(self) -> Path:
        """MEDIA_ROOT."""
        return self.folder / "media"

    @property
    def bucket(self) -> Path:
        return self.folder / "bucket"

    @property
    def asked_reports(self) -> Path:
        return self.folder / "reports" / "asked"

    @property
    def scheduled_reports(self) -> Path:
        return self.folder / "reports" / "scheduled"

    def fill(self, company: Company, day: date) -> None:
        """Put everything there, with its age."""
        for place in (self.media, self.bucket, self.asked_reports, self.scheduled_reports):
            place.mkdir(parents=True)
        for rows in company.clients.values():
            for person in (*rows.workers, *(each for people in rows.people.values() for each in people)):
                _put(self.media / person.peopleimg, REFERENCE, midnight(day) - OLD_AGE)
        for number, (path, at) in enumerate(self._media(company, day)):
            _put(path, f"file {number} of {path.parent.name}\n".encode() * (number % 7 + 1), at)
        for number in range(OLD_FILES):
            rows = list(company.clients.values())[number % len(company.clients)]
            path = self.asked_reports / str(rows.id) / str(rows.admin.pk) / f"forgotten-{number}.csv"
            _put(path, b"old\n", midnight(day) - OLD_FILES_AGE)

    def media_left(self) -> list[Path]:
        """Files that were there when the day began, and still are."""
        return [path for path in self.media.rglob(f"{MEDIA_FOLDER}/*/*") if path.is_file()]

    def media_folders(self) -> list[Path]:
        """The same of folders."""
        return [path for path in self.media.rglob(f"{MEDIA_FOLDER}/*") if path.is_dir()]

    def _media(self, company: Company, day: date) -> Iterator[tuple[Path, datetime]]:
        """Forty folders dealt to the clients; the first are all old, the others hold new files and a few old ones."""
        old, new = midnight(day) - OLD_AGE, midnight(day) - NEW_AGE
        clients, beside = list(company.clients.values()), OLD_FILES_BESIDE_NEW
        for number in range(FOLDERS):
            rows = clients[number % len(clients)]
            root = "transactions" if number % 2 else "transaction"
            folder = self.media / root / str(rows.id) / MEDIA_FOLDER / f"{number:02}"
            if number < OLD_FOLDERS:
                yield from ((folder / f"old-{n}.jpg", old) for n in range(FILES_PER_OLD_FOLDER))
                continue
            yield from ((folder / f"new-{n}.jpg", new) for n in range(FILES_PER_OTHER_FOLDER))
            if beside:
                beside -= 1
                yield folder / "old.jpg", old


def _put(path: Path, content: bytes, at: datetime) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    os.utime(path, (at.timestamp(), at.timestamp()))
