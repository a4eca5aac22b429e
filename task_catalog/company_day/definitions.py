"""What the company of the played day is: its clients and their recurring plans (catalog.md 5.1), as plain data.

Both the data set and the expected totals are made from these tables, and from nothing else.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

MAX_SCALE = 50
"""Sites are multiplied by the scale; beyond this a single tour would last longer than the days that the totals look at."""
EARLIEST, LATEST = date(2001, 1, 1), date(2090, 12, 31)
"""Dates that can be played: after the NONE rows' year, and far enough from the calendar's end."""

SWEEP_TASKS = (
    "move_media_to_cloud_storage",
    "cleanup_expired_sessions_task",
    "cleanup_reports_which_are_12hrs_old",
    "create_ppm_job",
    "create_job",
    "auto_close_jobs",
    "ticket_escalation",
    "send_reminder_email",
    "create_scheduled_reports",
    "send_generated_report_on_mail",
)
"""The scheduled tasks that the player puts on the queue at each of their instants, in this order."""
HEARTBEAT_TASK = "task_every_min"
BROKER_TASK = "publish_mqtt"
"""What nobody waits for while the control room's broker is down."""
DAY_TASKS = (
    *SWEEP_TASKS,
    HEARTBEAT_TASK,
    BROKER_TASK,
    "perform_facerecognition_bgt",
    "process_graphql_mutation_async",
    "send_ticket_email",
    "alert_sendmail",
    "send_email_notification_for_workpermit_approval",
    "send_email_notification_for_wp_verifier",
    "send_email_notification_for_wp_from_mobile_for_verifier",
    "send_email_notification_for_wp",
    "send_email_notification_for_vendor_and_security_of_wp_cancellation",
    "send_email_notification_for_vendor_and_security_for_rwp",
    "send_email_notification_for_vendor_and_security_after_approval",
    "send_email_notification_for_sla_vendor",
    "send_email_notification_for_sla_report",
    "send_generated_report_onfly_email",
    "create_save_report_async",
    "send_report_on_email",
    "create_report_history",
    "insert_json_records_async",
    "process_graphql_download_async",
    "send_mismatch_notification",
)
"""All tasks that a day runs: the 32."""
MAIL_TASKS = (
    "auto_close_jobs",
    "send_reminder_email",
    "send_generated_report_on_mail",
    "send_report_on_email",
    *(task for task in DAY_TASKS if task.startswith("send_") and task.endswith(("email", "verifier", "approval"))),
    *(task for task in DAY_TASKS if task.startswith("send_email_notification_")),
    "alert_sendmail",
)
"""What nobody waits for while the mail server is away."""

PEOPLE_PER_SITE = {"incharge": 1, "guard": 4, "technician": 2}
PEOPLE_PER_CLIENT = {"admin": 2, "verifier": 2, "approver": 2}
ASSETS_PER_SITE = 10
CHECKPOINTS_PER_SITE = 6
TASK_QUESTIONS, PPM_QUESTIONS, CHECKPOINT_QUESTIONS = 5, 8, 4
CHECKPOINT_TRAVEL_MIN = 3
SITE_TRAVEL_MIN = 12
"""Minutes from site to site on the external tour; the first leg takes none."""

SESSIONS, EXPIRED_SESSIONS = 500, 180
SESSIONS_EXPIRE_BEFORE = timedelta(hours=2)

REMINDER_RULES = (("DAY", 1), ("HOUR", 2))
"""Unit and value before the plan time, of each maintenance plan."""
TICKET_CATEGORY = "TC_GEN"
ESCALATION_STEPS = (("MINUTE", 60), ("HOUR", 3), ("DAY", 1))
"""Unit and value after the creation of a ticket at which it reaches level 1, 2, 3."""
FIRST_TICKET_AFTER, TICKET_EVERY = timedelta(minutes=10), timedelta(minutes=20)
TICKET_TURNS = (
    ("RESOLVED", timedelta(minutes=45)),
    ("CLOSED", timedelta(minutes=100)),
    ("CANCELLED", timedelta(minutes=200)),
    ("OPEN", timedelta(minutes=15)),
)
"""What becomes of a person's ticket i, by i mod 4, and how long after its creation. An OPEN one climbs on."""


@dataclass(frozen=True, slots=True)
class Client:
    """A client company; `base_sites` is multiplied by the scale."""

    letter: str
    offset_min: int
    base_sites: int
    tickets: int
    permits: int
    punches: int
    """Attendance events, each with a punch in and a punch out."""

    def sites(self, scale: int) -> int:
        return self.base_sites * scale


CLIENTS = (Client("A", 330, 10, 40, 10, 100), Client("B", 0, 6, 24, 6, 60), Client("C", -300, 4, 16, 4, 40))


@dataclass(frozen=True, slots=True)
class Kind:
    """A sort of plan: cron in the client's wall clock, minutes of duration, grace before and grace after."""

    code: str
    identifier: str
    cron: str
    duration_min: int
    before_min: int
    after_min: int
    categories: tuple[str, ...]
    """Notify category of the first, second, ... plan of this sort at a site."""

    @property
    def is_tour(self) -> bool:
        return self.identifier in ("INTERNALTOUR", "EXTERNALTOUR")


SITE_KINDS = (
    Kind(
        "T1",
        "TASK",
        "0 6,14,22 * * *",
        30,
        10,
        20,
        ("AUTOCLOSENOTIFY", "RAISETICKETNOTIFY", "AUTOCLOSED", "AUTOCLOSED"),
    ),
    Kind("T2", "TASK", "30 9 * * 1-5", 60, 15, 30, ("AUTOCLOSED", "AUTOCLOSED")),
    Kind("TR", "INTERNALTOUR", "0 */3 * * *", 5, 5, 0, ("RAISETICKETNOTIFY",)),
    Kind("PW", "PPM", "0 10 * * 1", 120, 30, 60, ("AUTOCLOSENOTIFY",)),
    Kind("PM", "PPM", "0 11 15 * *", 120, 30, 60, ("AUTOCLOSENOTIFY",)),
)
CLIENT_KIND = Kind("EX", "EXTERNALTOUR", "0 20 * * *", 10, 5, 0, ("AUTOCLOSED",))
KINDS = {kind.code: kind for kind in (*SITE_KINDS, CLIENT_KIND)}
NEVER_CRON, BAD_CRON = "* * * * *", "61 * * * *"
IDLE_PLANS = ("disabled", "ended", "unscheduled", "badcron", "scrapped", "dynamic", "geofence")
"""Plans that must produce nothing, one of each per client."""


@dataclass(frozen=True, slots=True)
class Plan:
    """One plan that produces; `site` counts from 0 within the client, None is the client's own unit."""

    seq: int
    client: Client
    kind: Kind
    nth: int
    site: int | None
    stops: int
    """Checkpoints or sites of a tour, else 0."""

    @property
    def category(self) -> str:
        return self.kind.categories[self.nth]

    @property
    def code(self) -> str:
        """Unique within a client: `T1-00-2`."""
        return f"{self.kind.code}-{'client' if self.site is None else f'{self.site:03}'}-{self.nth}"

    def travel_min(self, stop: int) -> int:
        """Minutes needed to reach a stop, the first being 0."""
        if self.kind is CLIENT_KIND:
            return SITE_TRAVEL_MIN if stop else 0
        return CHECKPOINT_TRAVEL_MIN


def producing_plans(scale: int) -> Iterator[Plan]:
    """The plans that must produce, in creation order; `seq` numbers them over all clients."""
    seq = 0
    for client in CLIENTS:
        sites = client.sites(scale)
        for site in range(sites):
            for kind in SITE_KINDS:
                for nth in range(len(kind.categories)):
                    yield Plan(seq, client, kind, nth, site, CHECKPOINTS_PER_SITE if kind.is_tour else 0)
                    seq += 1
        yield Plan(seq, client, CLIENT_KIND, 0, None, sites)
        seq += 1


def validity(day: date, identifier: str) -> tuple[datetime, datetime]:
    """First and last instant of a plan's validity."""
    start = midnight(day)
    return start - timedelta(days=30), start + timedelta(days=60 if identifier == "PPM" else 30)


def midnight(day: date) -> datetime:
    """00:00 UTC of a day: the instant at which the played day begins."""
    return datetime.combine(day, time.min, UTC)
