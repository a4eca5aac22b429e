"""How far a visit has come."""

from __future__ import annotations

import itertools

from task_catalog.rules import progress


def test_only_what_is_done_is_not_set_back():
    back = {
        (stored, told)
        for stored, told in itertools.product(progress.REPORTED, repeat=2)
        if progress.is_step_back(stored, told)
    }

    assert back == {("COMPLETED", told) for told in progress.REPORTED if told != "COMPLETED"}


def test_work_is_completed_once():
    assert progress.completes("INPROGRESS", "COMPLETED")
    assert progress.completes("AUTOCLOSED", "COMPLETED")
    assert progress.completes(None, "COMPLETED")
    assert not progress.completes("COMPLETED", "COMPLETED")
    assert not progress.completes("ASSIGNED", "INPROGRESS")
