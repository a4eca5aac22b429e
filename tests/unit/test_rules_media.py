"""Old enough, known by which key, emptied folders."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from task_catalog.rules import media as rules
from youtility_tasks import effects

NOW = datetime(2025, 3, 3, tzinfo=UTC)


@pytest.mark.parametrize(("age", "is_old"), [(60.001, True), (60, False), (59.999, False), (-1, False)])
def test_a_file_is_old_when_it_last_changed_more_than_so_many_days_ago(age, is_old):
    changed = (NOW - timedelta(days=age)).timestamp()

    assert rules.is_old(changed, now=NOW, skip_days=60) is is_old


@pytest.mark.parametrize(("modified_s", "is_old"), [(1e12, False), (-1e12, True)])
def test_a_time_that_no_calendar_has_is_a_time_too(modified_s, is_old):
    """File systems keep years beyond 9999; one such file stopped the whole run."""
    assert rules.is_old(modified_s, now=NOW, skip_days=60) is is_old


def test_a_key_names_path_size_and_change_and_fits_however_long_the_path_is():
    assert rules.key("transactions/1.png", size=4, modified_s=1.5) == "media:transactions/1.png:4:1.500000"
    long = rules.key("transactions/" + "ä" * 2_000, size=4, modified_s=1.5)
    assert len(long.encode()) < effects.LONGEST_KEY
    assert long.startswith(rules.key_prefix("transactions/" + "ä" * 2_000))
    assert long != rules.key("transactions/" + "ö" * 2_000, size=4, modified_s=1.5)


def test_the_folders_above_come_deepest_first_without_the_root():
    paths = ["r/a/b/1", "r/a/2", "r/3", "other/x/4", "rr/y/5"]

    assert list(rules.folders_above(paths, "r")) == ["r/a/b", "r/a"]
