"""What a queue promises, and what cannot be promised."""

from __future__ import annotations

from typing import Any

import pytest

from youtility_tasks import objectives
from youtility_tasks.errors import ConfigurationError


def promised(settings: Any, given: Any) -> dict[str, objectives.Objective]:
    settings.YOUTILITY_TASKS = {**settings.YOUTILITY_TASKS, "objectives": given}
    return objectives.all_of_them()


def test_one_word_of_one_queue_is_changed_and_the_rest_is_as_usual(settings: Any) -> None:
    found = promised(settings, {"email": {"start_within_s": 120}})

    usual = objectives.DEFAULTS["email"]
    assert (found["email"].start_within_s, found["email"].success_share) == (120, usual.success_share)
    assert found["reports"] == objectives.DEFAULTS["reports"]
    assert objectives.of_queue("a queue of somebody else's").start_within_s == 300


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"emial": {"start_within_s": 1}}, "names the queue 'emial'; configured: email"),
        ({"email": {"begin_within_s": 1}}, "right is a dict of finish_within_s"),
        ({"email": 60}, "right is a dict of"),
        ({"email": {"start_within_s": 0}}, "right is seconds above 0"),
        ({"email": {"start_within_s": True}}, "right is seconds above 0"),
        ({"email": {"success_share": 1}}, "right is a share below 1"),
        ({"email": {"start_within_s": 900}}, "finish_within_s"),
    ],
)
def test_what_promises_nothing_is_refused(settings: Any, given: Any, says: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        promised(settings, given)
    assert says in str(refused.value)
