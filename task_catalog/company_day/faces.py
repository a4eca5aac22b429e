"""Photos of the day's people, as the bundled labelled verifier reads them: who is on them, not how they look."""

from __future__ import annotations


def reference_photo(person_id: int) -> bytes:
    """A person's own photo."""
    return f"face {person_id}\n".encode()


def probe_photo(person_id: int, shown: str) -> bytes:
    """A photo taken at a punch: of the person, of somebody else, or of nobody."""
    if shown == "no_face":
        return b"no face\n"
    return f"face {person_id if shown != 'mismatch' else -person_id}\n".encode()
