"""The clock of the played day: one row that the player moves and every worker reads."""

from __future__ import annotations

from datetime import UTC, datetime

from task_catalog import models
from youtility_tasks import errors


class PlayedClock:
    """Tells the instant that the player has set; `TASK_CATALOG["clock"]` names it while a day is played."""

    def now(self) -> datetime:
        """The played instant, read anew at each call. Raises ConfigurationError when no day was ever begun."""
        instant = models.PlayedClock.objects.values_list("instant", flat=True).first()
        if instant is None:
            raise errors.ConfigurationError(
                "TASK_CATALOG['clock'] is the played clock, but no day is being played in this database. "
                "Unset YOUTILITY_CLOCK, or run play_company_day."
            )
        return instant.astimezone(UTC)


def set_played(instant: datetime) -> None:
    """Move the played clock to an instant (aware)."""
    models.PlayedClock.objects.update_or_create(pk=1, defaults={"instant": instant})
