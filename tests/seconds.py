"""How long each file of tests took, as `KEEP_SECONDS=1 make test` has found it; so that side by side the longest begin first.

A file that is not listed is taken for what its fixtures cost. Order is all that these numbers make: none has to be right.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import pytest

_ROOT = Path(__file__).parents[1]
_KEPT = Path(__file__).with_suffix(".json")
_LEAST = 2
"""What takes less is not worth a line."""
_OF_FIXTURES = {"play": 20, "screen": 4, "crew": 4, "run": 2, "fresh_database": 2, "house": 1, "transactional_db": 0.1}

_is_wanted = bool(os.environ.pop("KEEP_SECONDS", ""))  # taken away: tests run pytest, too
_taken: Counter[str] = Counter()


def expected(items: Iterable[pytest.Item]) -> dict[Path, float]:
    """Of each file that has some of the items."""
    kept, guessed = json.loads(_KEPT.read_text()), Counter[Path]()
    for item in items:
        own = item.get_closest_marker("timeout")  # a test that asks for more than the usual 120 s takes long
        fixtures = getattr(item, "fixturenames", ())
        guessed[item.path] += max((_OF_FIXTURES[name] for name in fixtures if name in _OF_FIXTURES), default=0.02)
        guessed[item.path] += own.args[0] / 6 if own is not None else 0
    return {path: kept.get(path.relative_to(_ROOT).as_posix(), guess) for path, guess in guessed.items()}


def count(report: pytest.TestReport) -> None:
    _taken[report.location[0]] += report.duration


def keep(session: pytest.Session) -> None:
    """Write them down, where that is asked for; a file that did not run, or not all of it, keeps its number."""
    if not _is_wanted or session.config.getoption("lf", False):
        return
    kept = {name: seconds for name, seconds in json.loads(_KEPT.read_text()).items() if (_ROOT / name).exists()}
    kept.update({name: round(seconds) for name, seconds in _taken.items()})
    longest_first = sorted(kept.items(), key=lambda each: (-each[1], each[0]))
    listed = {name: seconds for name, seconds in longest_first if seconds >= _LEAST}
    _KEPT.write_text(json.dumps(listed, indent=1) + "\n")
