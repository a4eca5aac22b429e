"""A schedule's rule in words."""

from __future__ import annotations

from datetime import UTC, datetime, time
from typing import Any

import pytest

from youtility_tasks.models import ScheduledTask
from youtility_tasks.schedules import words


@pytest.mark.parametrize(
    ("said", "rule"),
    [
        ({"cron": "30 6 * * *"}, "every day at 06:30"),
        ({"cron": "30 6 * * *", "days": "working_days"}, "every working day at 06:30"),
        (
            {"cron": "30 6 * * *", "days": "working_days", "working_weekdays": "12347"},
            "every working day (Sunday to Thursday) at 06:30",
        ),
        ({"cron": "0 18 * * *", "days": "last_working_day"}, "on the last working day of the month at 18:00"),
        ({"cron": "30 2 * * 1-5"}, "on Monday to Friday at 02:30"),
        ({"cron": "0 9 * * mon,fri"}, "on Mondays and Fridays at 09:00"),
        ({"cron": "0 9 * * 0"}, "on Sundays at 09:00"),
        ({"cron": "0 9 * * 7"}, "on Sundays at 09:00"),
        ({"cron": "0 0 1 1,7 *"}, "on the 1st of the month in January and July at 00:00"),
        ({"cron": "0 4 l * *"}, "on the last day of the month at 04:00"),
        ({"cron": "0 4 13 * 5"}, "on the 13th of the month and on Fridays at 04:00"),
        ({"cron": "* * * * *"}, "every minute"),
        ({"cron": "*/5 * * * *"}, "every 5 minutes"),
        ({"cron": "*/7 * * * *"}, "at each 7th minute of the hour"),
        ({"cron": "0 * * * *"}, "every hour"),
        ({"cron": "15,45 * * * *"}, "every hour at :15 and :45"),
        ({"cron": "*/15 8-17 * * *", "days": "working_days"}, "every 15 minutes from 08:00 to 17:59, on working days"),
        ({"cron": "0 */6 * * *"}, "every 6 hours"),
        ({"cron": "0 8,12,18 * * *"}, "every day at 08:00, 12:00 and 18:00"),
        ({"cron": "0 2 * * 1#2"}, "by cron 0 2 * * 1#2"),
        ({"cron": "0 */7 * * *"}, "by cron 0 */7 * * *"),
        ({"kind": "interval", "every_s": 5_400}, "every 1 hour 30 minutes"),
        ({"kind": "interval", "every_s": 3_600, "days": "no_holidays"}, "every hour on every day but holidays"),
        ({"kind": "once", "at": datetime(2026, 12, 1, 5, 0, tzinfo=UTC)}, "once, on 1 December 2026 at 06:00"),
        (
            {"cron": "0 * * * *", "quiet_from": time(22), "quiet_to": time(6)},
            "every hour, not between 22:00 and 06:00",
        ),
    ],
)
def test_a_rule_is_told_as_people_say_it(said: dict[str, Any], rule: str) -> None:
    row = ScheduledTask(name="x", task_name="y", **said)

    assert words.rule(row, "Europe/Berlin") == f"{rule}, Europe/Berlin"
