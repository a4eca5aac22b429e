"""The day's ledger: how many jobs each task and queue had, and how many messages left (catalog.md 5.8)."""

from __future__ import annotations

from collections import Counter
from datetime import date

from task_catalog.company_day.definitions import CLIENTS
from task_catalog.company_day.reporting import ASKED
from task_catalog.company_day.traffic import ASSET_CHANGES, BAD_DOWNLOADS, BAD_MUTATIONS_AFTER, DOWNLOADS, TRACKS

from . import permits
from .calendar import SWEEPS, local_date, sweeps
from .happened import Happened
from .mobile import photos
from .outside import deliveries, mismatches
from .planning import Reminder
from .values import Totals, by_client

QUEUES = {
    "high_priority": (
        "create_ppm_job",
        "auto_close_jobs",
        "create_job",
        "perform_facerecognition_bgt",
        "process_graphql_mutation_async",
        "ticket_escalation",
    ),
    "email": (
        "send_ticket_email",
        "send_reminder_email",
        "alert_sendmail",
        permits.APPROVE,
        permits.VERIFY_WEB,
        permits.VERIFY_MOBILE,
        permits.LEGACY,
        permits.CANCELLED,
        permits.RETURNED,
        permits.APPROVED,
        permits.SCORE_TOLD,
        permits.SCORE_ASKED,
        "send_generated_report_onfly_email",
    ),
    "reports": (
        "create_scheduled_reports",
        "create_save_report_async",
        "send_report_on_email",
        "send_generated_report_on_mail",
        "create_report_history",
    ),
    "maintenance": (
        "cleanup_expired_sessions_task",
        "move_media_to_cloud_storage",
        "cleanup_reports_which_are_12hrs_old",
        "task_every_min",
        "publish_mqtt",
        "insert_json_records_async",
        "process_graphql_download_async",
        "send_mismatch_notification",
    ),
}
"""Where each task runs (catalog.md 2.0)."""


def jobs(found: Happened) -> Totals:
    """Jobs by task and by queue, and how they ended."""
    arrived = deliveries(found)
    sent = [asked for asked in ASKED if asked.has_data and asked.is_sent]
    clients = len(CLIENTS)
    counts = Counter(task for task, _ in permits.jobs())
    counts.update({task: len(sweeps(task, found.day)) for task in SWEEPS})
    counts.update(
        {
            "send_ticket_email": sum(found.ticket_mails.values()),
            "alert_sendmail": sum(end.status == "COMPLETED" for end in found.ends),
            "process_graphql_mutation_async": arrived["all"],
            "perform_facerecognition_bgt": len(photos()),
            "send_mismatch_notification": len(mismatches()),
            "publish_mqtt": ASSET_CHANGES + len(mismatches()),
            "insert_json_records_async": TRACKS * clients + clients,
            "process_graphql_download_async": DOWNLOADS * clients,
            "create_save_report_async": len(ASKED) * clients,
            "send_report_on_email": sum(asked.is_small for asked in sent) * clients,
            "send_generated_report_onfly_email": sum(not asked.is_small for asked in sent) * clients,
            "create_report_history": len(ASKED) * clients
            + sum(each.mailed_at is not None or not each.has_data for each in found.generated),
        }
    )
    bad = {
        "process_graphql_mutation_async": arrived["failed"],
        "insert_json_records_async": clients,
        "process_graphql_download_async": BAD_DOWNLOADS * clients,
    }
    totals: Totals = {}
    for queue, tasks in QUEUES.items():
        for task in tasks:
            totals[f"jobs of {task}"] = {"succeeded": counts[task] - bad.get(task, 0), "failed": bad.get(task, 0)}
        totals[f"jobs on {queue}"] = sum(counts[task] for task in tasks)
    totals["jobs of the day"] = {
        "succeeded": counts.total() - sum(bad.values()),
        "failed": sum(bad.values()),
        "all": counts.total(),
    }
    return totals


def messages(found: Happened) -> Totals:
    """Messages by task; those to the administrators are told beside the others."""
    reminded = [note for note in found.reminders if note.is_made and reminder_word(note, found.day) == "SUCCESS"]
    mailed = [each.client.letter for each in found.generated if each.mailed_at is not None]
    sent = [asked for asked in ASKED if asked.has_data and asked.is_sent]
    letters = {
        "auto_close_jobs": [end.root.plan.client.letter for end in found.ends if end.is_mailed],
        "send_reminder_email": [note.root.plan.client.letter for note in reminded],
        "alert_sendmail": [end.root.plan.client.letter for end in found.ends if end.in_alert],
        **{task: [] for task in permits.MESSAGES},
        "send_generated_report_on_mail": mailed,
        "send_generated_report_onfly_email": [c.letter for c in CLIENTS for asked in sent if not asked.is_small],
        "send_report_on_email": [c.letter for c in CLIENTS for asked in sent if asked.is_small],
    }
    for task, client in permits.jobs():
        letters[task] += [client.letter] * permits.MESSAGES[task]
    about_tickets = found.ticket_mails
    return {
        **{f"messages of {task}": by_client(found_letters) for task, found_letters in letters.items()},
        "messages of send_ticket_email": {**about_tickets, "all": sum(about_tickets.values())},
        "messages": sum(map(len, letters.values())) + sum(about_tickets.values()),
        "messages to the administrators": _bad_cron_notices(found.day) + _failure_notices(),
    }


def reminder_word(note: Reminder, day: date) -> str:
    """The status of a reminder at the end of the day; one that nobody has looked at is pending."""
    for now in sweeps("send_reminder_email", day):
        if now >= note.root.made_at and note.remind_at <= now:
            return "SUCCESS" if note.root.planned_at > now else "FAILED"
    return "pending"


def _bad_cron_notices(day: date) -> int:
    """One a plan and local day, however many runs meet the plan."""
    return sum(len({local_date(run, client.offset_min) for run in sweeps("create_job", day)}) for client in CLIENTS)


def _failure_notices() -> int:
    """One a task and hour, however many of its jobs failed: mutations, a batch for no table, a malformed question."""
    return len({after.total_seconds() // 3600 for after in BAD_MUTATIONS_AFTER}) + 1 + 1
