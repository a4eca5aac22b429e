"""How the server bears the queue, as metrics: snapshots, notifications, dead rows of the tables whose rows change most."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from prometheus_client.core import GaugeMetricFamily, Metric

HOT = (
    "procrastinate_jobs",
    "procrastinate_events",
    "youtility_tasks_metricstotal",
    "youtility_tasks_queuecounter",
    "youtility_tasks_queuesnapshot",
    "youtility_tasks_taskworker",
)
"""Tables that are told apart; of those that are not there, nothing is said."""
_OF_ALL = {
    "oldest_snapshot_seconds": "How long the oldest transaction whose snapshot keeps vacuum from removing rows has been open.",
    "hidden_sessions": "Sessions of other users that this login may not look into: the oldest snapshot may be one of theirs.",
    "notification_queue_share": "How much of PostgreSQL's notification queue is used, of one; full, no transaction that notifies commits.",
}
_OF_A_TABLE = {
    "dead_rows": "Rows that ended and that vacuum has not removed.",
    "live_rows": "Rows that are there, as statistics have it.",
    "vacuum_age_seconds": "How long ago a vacuum of the table ended; nothing where none has.",
}


def families(rows: list[tuple[Any, ...]]) -> Iterator[Metric]:
    """From the rows of `export_server`: (name, table, -, value)."""
    for name, says in _OF_ALL.items():
        family = GaugeMetricFamily(f"youtility_database_{name}", says)
        for found, _, _, value in rows:
            if found == name:
                family.add_metric([], value)
        yield family
    for name, says in _OF_A_TABLE.items():
        family = GaugeMetricFamily(f"youtility_table_{name}", says, labels=["table"])
        for found, table, _, value in rows:
            if found == name:
                family.add_metric([table], value)
        yield family
