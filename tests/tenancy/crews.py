"""Workers in a house: with the catalogue, whose tables must be kept apart before they start."""

from __future__ import annotations

import os
from pathlib import Path

from tests.acceptance.crew import Crew, Queue
from tests.tenancy.ground import House


def crew_of(house: House, folder: Path, *, way: str | None = None) -> Crew:
    """No process runs yet. `way`: by which its processes reach the database, a pooler's."""
    env = {**os.environ, "DATABASE_URL": way or house.url, "TEST_APPS": "tests.acceptance.app"}
    made = Crew(Queue(house.url), env, folder)
    made.settings_module = "tests.tenancy.settings"
    return made
