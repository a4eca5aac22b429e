"""The admin in django-unfold: every page opens, and its actions still ask why."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from tests import warm

ROOT = Path(__file__).resolve().parents[2]


def test_every_page_opens_in_unfold_and_its_actions_ask_why(fresh_database: Any) -> None:
    env = {**fresh_database.env, "DJANGO_SETTINGS_MODULE": "tests.admin.unfold_settings", "LOG_LEVEL": "WARNING"}
    command = [sys.executable, "-m", "tests.admin.pages_in_unfold"]
    done = warm.run(command, cwd=ROOT, env=env, capture_output=True, text=True, timeout=100, check=False)

    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["pages"] > 30 and found["wrong"] == []
    assert found["asks_why"] and "claims nothing more" in found["told"] and found["order"] == "quiet"
