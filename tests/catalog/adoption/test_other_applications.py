"""The tasks of each room do on other applications' tables what they do on the bundled ones: the same tests pass."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[3]
TESTS = REPOSITORY / "tests" / "catalog"

ROOMS = {
    "closing and tickets": [
        "closing/test_closing.py",
        "closing/test_closing_notices.py",
        "closing/test_escalation.py",
        "closing/test_ticket_mail.py",
        "closing/test_reminder_mail.py",
    ],
    "planning": ["planning/test_create_job.py", "planning/test_create_ppm_job.py"],
    "permits and scores": [
        "permits/test_permit_news.py",
        "permits/test_permit_questions.py",
        "permits/test_vendor_scores.py",
    ],
    "reports": ["reports/test_definitions.py", "reports/test_on_demand.py", "reports/test_scheduled.py"],
    "mobile": ["mobile/test_records.py", "mobile/test_mutations.py", "mobile/test_alerts.py"],
    "outside: media, faces": [
        "outside/test_face_outcomes.py",
        "outside/test_face_place_and_shift.py",
        "outside/test_media_move.py",
        "outside/test_mismatch_notice.py",
    ],
}


QUICK_ROOMS = ["closing and tickets"]
"""The others with `make tables`; a file of each runs under the real names."""

OF_THE_BUNDLED_TABLES = [
    "closing/test_escalation.py::test_one_ticket_that_cannot_be_lifted_does_not_stop_the_others",
    "reports/test_definitions.py::test_an_application_registers_a_statement_of_its_own",
    "reports/test_definitions.py::test_an_own_statement_of_another_width_is_named",
]
"""These write SQL that names a bundled table. Which fields the control room is told of is each application's own list."""


def passed(settings: str, files: list[str]) -> tuple[int, str]:
    """How many of these tests passed on that application's tables, and what pytest said; a run of its own."""
    done = subprocess.run(
        [
            sys.executable, "-m", "pytest", "-q", "-p", "tests.catalog.adoption.other_tables",
            f"--ds=tests.catalog.adoption.{settings}", "-p", "no:cacheprovider",
            *(f"--deselect=tests/catalog/{each}" for each in OF_THE_BUNDLED_TABLES),
            *(str(TESTS / each) for each in files),
        ],
        cwd=REPOSITORY,
        env={**os.environ},
        capture_output=True,
        text=True,
        check=False,
    )  # fmt: skip
    found = re.search(r"(\d+) passed", done.stdout)
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    return int(found[1]) if found else 0, done.stdout


@pytest.mark.timeout(1200)
@pytest.mark.parametrize("room", ROOMS if os.environ.get("ALL_ROOMS") else QUICK_ROOMS)
def test_a_room_works_on_renamed_models_tables_columns_and_keys(room: str) -> None:
    assert passed("renamed_settings", ROOMS[room])[0] > 10


@pytest.mark.timeout(1200)
def test_the_rooms_work_under_the_names_of_the_real_application() -> None:
    """One file a room: its tables are called as the bundled ones, its models and applications otherwise."""
    assert passed("real_settings", [files[0] for files in ROOMS.values()])[0] > 60


@pytest.mark.timeout(600)
def test_a_row_that_goes_past_the_mapping_fails_the_run() -> None:
    """The other application's tables would be nothing to compare with, if nobody looked at the facility's."""
    with pytest.raises(AssertionError, match="something went past the mapping"):
        passed("renamed_settings", ["adoption/goes_past.py"])
