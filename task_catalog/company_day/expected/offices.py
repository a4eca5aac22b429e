"""Totals of what is written in offices: permits, vendors' scores, reports (catalog.md 5.5, 5.6)."""

from __future__ import annotations

from collections import Counter

from task_catalog.company_day.definitions import CLIENTS
from task_catalog.company_day.reporting import ASKED, OLD_FILES, SCHEDULED

from .calendar import sweeps
from .happened import Happened
from .permits import ENDS, overall, permits, scores
from .values import Totals, by_client, by_word


def paperwork() -> Totals:
    """Permits and scores."""
    return {
        "permits": by_client(permit.client.letter for permit in permits()),
        "permits at the end": by_word(ENDS, (permit.end for permit in permits())),
        "vendors' scores": {f"{client.letter}{number + 1}": overall(score) for client, number, score in scores()},
    }


def reports(found: Happened) -> Totals:
    """Reports that come by themselves, reports that people ask for, their files and their history."""
    made = [each for each in found.generated if each.has_data]
    runs = Counter(each.made_at for each in made)
    mailed = Counter(each.mailed_at for each in made if each.mailed_at is not None)
    empty = len(found.generated) - len(made)
    downloads = [asked for asked in ASKED if asked.has_data and not asked.is_sent] * len(CLIENTS)
    sent = [asked for asked in ASKED if asked.has_data and asked.is_sent] * len(CLIENTS)
    without = [asked for asked in ASKED if not asked.has_data] * len(CLIENTS)
    asked_for = len(downloads) + len(sent) + len(without)
    scheduled = mailed.total() + empty
    return {
        "scheduled reports made": by_client(each.client.letter for each in made),
        "scheduled reports by kind": by_word(
            dict.fromkeys(report.crontype for report in SCHEDULED), (each.report.crontype for each in made)
        ),
        "scheduled reports made at": {
            f"{run:%H:%M}": runs[run] for run in sweeps("create_scheduled_reports", found.day)
        },
        "scheduled reports mailed at": {f"{run:%H:%M}": count for run, count in sorted(mailed.items())},
        "scheduled reports without data": empty,
        "scheduled report files left": len(made) - mailed.total(),
        "answers to those who asked for a report": {"200": len(downloads), "201": len(sent), "404": len(without)},
        "old report files removed at first": OLD_FILES,
        "asked report files left": len(downloads),
        "report history": {"asked for": asked_for, "scheduled": scheduled, "all": asked_for + scheduled},
        "report history without data": len(without) + empty,
    }
