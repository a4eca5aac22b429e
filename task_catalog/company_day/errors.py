"""Why a day cannot be played.

YoutilityTaskError
  CompanyDayError
    OtherCompanies     the database is somebody's: it holds clients that the day did not make
    ForeignModels      the tasks are mapped to tables that the day cannot fill
    DayInProgress      another day is being played in this database
    ForeignWorkers     workers run that the day did not start
    DayStuck           jobs did not end, or a process of the day did not come up
    DatabaseAbsent     the database does not answer
    DatabaseLost       the database went away under the player
"""

from __future__ import annotations

from youtility_tasks import errors


class CompanyDayError(errors.YoutilityTaskError):
    """The day could not be played."""


class OtherCompanies(CompanyDayError):
    """The database holds clients that the day did not make."""


class ForeignModels(CompanyDayError):
    """The tasks work on other tables than those of `task_catalog.facility`."""


class DayInProgress(CompanyDayError):
    """Another day is being played in this database."""


class ForeignWorkers(CompanyDayError):
    """Workers run on this database that the day did not start; their clock is another one."""


class BoundDirector(CompanyDayError):
    """Nobody here may see the rows of all clients."""

    def __init__(self, role: str) -> None:
        super().__init__(
            f"The setting roles keeps tenants apart, and row level security binds the user {role!r} of DATABASES too: nobody "
            "could count the day's totals. Play it on the embedded server (unset DATABASE_URL), as a superuser, or without roles."
        )


class DayStuck(CompanyDayError):
    """Something that the day waits for did not happen in time."""


class DatabaseAbsent(CompanyDayError):
    """The database does not answer, so that no day can begin."""

    def __init__(self, error: Exception) -> None:
        super().__init__(
            f"The database does not answer: {str(error).strip().splitlines()[0]}. Start it, or correct DATABASES."
        )


class DatabaseLost(CompanyDayError):
    """The database went away while the day was played."""

    def __init__(self, error: Exception) -> None:
        super().__init__(
            f"The database went away while the day was played: {str(error).strip()}. The day can be played again."
        )
