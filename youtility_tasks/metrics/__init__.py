"""The numbers of the queues now, and of the attempts that ended; percentiles are computed only here.

`series` and `summary` read what upkeep has added up by minute and hour, and from the history what it has not come to yet.
"""

from .present import Glance, LastError, QueueNumbers, database_clock, glance, last_errors, queue_numbers
from .reading import GROUPS, HOUR, HOUR_S, MINUTE_S, GroupBy, Numbers, Point, Summary, last_hour, series, summary

__all__ = [
    "GROUPS",
    "HOUR",
    "HOUR_S",
    "MINUTE_S",
    "Glance",
    "GroupBy",
    "LastError",
    "Numbers",
    "Point",
    "QueueNumbers",
    "Summary",
    "database_clock",
    "glance",
    "last_errors",
    "last_hour",
    "queue_numbers",
    "series",
    "summary",
]
