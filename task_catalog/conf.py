"""Settings as one frozen dataclass, read once from `TASK_CATALOG`; each field with its unit and its reason."""

from __future__ import annotations

import functools
import os
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from types import MappingProxyType
from typing import Any

from django.conf import settings as django_settings
from django.core.signals import setting_changed

from task_catalog import outside_settings
from youtility_tasks import errors

FACILITY_MODELS: Mapping[str, str] = MappingProxyType(
    {
        "Approver": "facility.Approver",
        "Asset": "facility.Asset",
        "AssetLog": "facility.AssetLog",
        "Attachment": "facility.Attachment",
        "Attendance": "facility.PeopleEventlog",
        "BusinessUnit": "facility.Bt",
        "ClientTenant": "facility.Tenant",
        "Detail": "facility.JobneedDetails",
        "DeviceEventlog": "facility.DeviceEventlog",
        "EscalationMatrix": "facility.EscalationMatrix",
        "GeneratePDF": "facility.GeneratePDF",
        "Geofence": "facility.GeofenceMaster",
        "Group": "facility.Pgroup",
        "GroupMember": "facility.Pgbelonging",
        "Location": "facility.Location",
        "Occurrence": "facility.Jobneed",
        "Person": "facility.People",
        "Plan": "facility.Job",
        "Question": "facility.Question",
        "QuestionSet": "facility.QuestionSet",
        "QuestionSetBelonging": "facility.QuestionSetBelonging",
        "Reminder": "facility.Reminder",
        "ReportHistory": "facility.ReportHistory",
        "ScheduleReport": "facility.ScheduleReport",
        "Session": "sessions.Session",
        "Shift": "facility.Shift",
        "Ticket": "facility.Ticket",
        "Tracking": "facility.Tracking",
        "TypeAssist": "facility.TypeAssist",
        "Vendor": "facility.Vendor",
        "WorkOrder": "facility.Wom",
        "WorkOrderDetail": "facility.WomDetails",
    }
)
"""Logical name -> "app_label.Model"; `TASK_CATALOG["models"]` overrides single entries."""

_NO_RENAMING = (
    "TASK_CATALOG has no key 'fields': tasks read the field names of the mapped models as they are. If a column has "
    "another name, map a model (managed = False) whose field has the expected name and db_column= the real one."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """`TASK_CATALOG` of the Django settings. Keys that are not listed here are an error."""

    models: Mapping[str, str] = field(default_factory=dict)
    """Logical name -> "app_label.Model" for those who bring their own tables; the rest is `FACILITY_MODELS`."""
    none_id: int = 1
    """Id of the rows that stand for "no person", "no asset", ...; foreign keys point there instead of being null."""

    clock: str = "task_catalog.ports.clock.SystemClock"
    """Dotted path of what tells the time to the rules."""
    route_provider: str = "task_catalog.ports.routes.GreatCircle"
    """Dotted path of what measures the way between two checkpoints."""
    route_speed_kmh: float = 30.0
    """Speed at which great-circle distances are driven, in km/h; a town's average."""

    planning_horizon_hours: int = 48
    """How far ahead `create_job` makes occurrences: two days, so that a device that is offline has its next one."""
    ppm_horizon_days: int = 400
    """How far ahead `create_ppm_job` makes occurrences at most: a year's plan and its first repeat."""
    autoclose_lookback_days: int = 30
    """How long after its expiry an open occurrence is still closed, so that an outage leaves nothing open for ever."""

    mail_from: str = ""
    """Sender of every mail; empty: Django's DEFAULT_FROM_EMAIL."""
    mail_timeout_s: float = 20.0
    """Longest wait for one answer of the mail server; below the time limit of every task that sends mail."""
    admin_emails: tuple[str, ...] = ()
    """Who hears of plans that cannot be scheduled and of jobs that failed for good."""
    company_name: str = "Youtility"
    """How mails name the company that runs the sites."""
    host: str = "http://localhost:8000"
    """Address of the web application, without a slash at the end; links in mails start with it."""

    # permits
    pdf_renderer: str = "weasyprint"
    """What makes PDFs: "weasyprint", "typst" (a plain look, no system library), or the dotted path of a class."""
    pdf_memory_mb: int = 1024
    """Memory that making one PDF may take, in MB; a document that needs more is refused, and no neighbour suffers."""
    permit_reply_path: str = "/work_order_management/reply_workpermit/"
    """Page of the web application, below `host`, that takes the answer of a permit mail's link."""
    sla_reply_path: str = "/work_order_management/reply_sla/"
    """Page of the web application, below `host`, that takes the answer of a vendor score's link."""
    reply_valid_days: int = 30
    """How long a link in a mail may be answered by; later only the application itself."""

    # reports
    ondemand_reports_folder: str = ""
    """Absolute path below which reports lie that somebody asked for; empty: ONDEMAND_REPORTS_GENERATED of the Django
    settings. The web server must not serve it: files are handed out by the page that knows who may have them."""
    scheduled_reports_folder: str = ""
    """The same for reports that come by themselves, until they are mailed; empty: TEMP_REPORTS_GENERATED."""
    report_inline_bytes: int = 1_000_000
    """Up to this size a report that is to be mailed travels inside the job that mails it; a larger one goes by file, and so
    does one that the queue's `max_args_bytes` (256 KiB, that is some 190 KB of file) would refuse."""
    report_pdf_rows: int = 2_000
    """Most rows of a PDF, some hundred pages: 2,500 rows of twelve columns took 28 s and 660 MB to lay out, 5,000 more
    memory than `pdf_memory_mb`. Other formats have no such limit."""
    report_pdf_timeout_s: float = 240.0
    """Longest time for laying out one PDF; below the time limits of the tasks that make reports."""
    # outside: the control room's broker, the media bucket, the face check
    mqtt_publisher: str = "task_catalog.ports.mqtt.PahoPublisher"
    """Dotted path of what hands messages to the broker."""
    mqtt_host: str = ""
    """The broker's host; empty: there is none, and `publish_mqtt` refuses."""
    mqtt_port: int = 1883
    mqtt_username: str = ""
    """Empty: the broker is told neither name nor password."""
    mqtt_password: str = field(default="", repr=False)
    mqtt_tls: bool = False
    """Whether the connection is encrypted and the broker's certificate checked."""
    mqtt_ca_file: str = ""
    """Certificates that the broker's is checked against; empty: those of the system."""
    mqtt_timeout_s: float = 10.0
    """Longest wait of one attempt for connection and acknowledgement together; below the task's limit of 30 s."""
    noc_topic: str = "redmine_to_noc"
    """Where the control room listens."""
    noc_hooks: Mapping[str, Any] = field(default_factory=dict)
    """Logical name -> True (the fields listed in `rules.noc`) or a list of fields: saved rows that the control room is
    told of. Passwords, tokens, phone numbers and addresses are refused."""
    blob_store: str = "task_catalog.ports.blobs.StorageBlobs"
    """Dotted path of what keeps old media; the default speaks to the storage named by `media_bucket`."""
    media_bucket: str = ""
    """Alias of STORAGES, or dotted path of a Django storage, that old media are moved to; empty: nothing is moved."""
    media_roots: tuple[str, ...] = ("transaction", "transactions")
    """Folders below MEDIA_ROOT that are emptied; the web application writes to one, devices to the other (D33)."""
    face_verifier: str = "task_catalog.ports.faces.dlib.DlibVerifier"
    """Dotted path of what compares two photos; needs `youtility-tasks[faces]`. Empty: nobody looks at photos."""
    face_threshold: float | None = None
    """Largest distance at which two photos show one person; None: what the verifier's model was measured with (0.4 for
    DeepFace's Facenet512 and cosine, 0.6 for dlib and Euclid). Stored with each verdict (D35)."""
    face_timeout_s: float = 60.0
    """Longest time for one comparison, loading the model included; its process is then killed."""
    face_memory_mb: int = 2048
    """Memory of the process that looks at photos (its data, in MiB); a picture that needs more is an error of its job alone."""
    face_calls: int = 200
    """Comparisons after which that process is replaced, so that what a library loses stays small."""
    # mobile
    graphql_executor: str = "task_catalog.ports.graphql.StrawberryExecutor"
    """Dotted path of what runs the documents that devices send: one for strawberry and one for graphene are there."""
    graphql_schema: str = "task_catalog.mobile.strawberry_schema.schema"
    """Dotted path of the schema; it must be of the executor's kind."""
    graphql_max_chars: int = 65_536
    """Longest document; what devices report travels in the variables, not in the document."""
    graphql_max_depth: int = 8
    """Fields inside fields of a document."""
    graphql_max_aliases: int = 20
    """Fields of a document under a name of their own: the way to ask for the same many times."""
    graphql_max_fields: int = 500
    """Fields of a document, those of fragments counted each time that they are spread."""
    graphql_introspection: bool = False
    """Whether documents may ask for the schema, and errors may suggest names of it."""
    download_max_bytes: int = 5_000_000
    """Longest answer to a download; `YOUTILITY_TASKS["max_result_bytes"]` is a limit too."""
    upload_max_bytes: int = 10_000_000
    """Largest file of one upload, and what one archive of `syncUpload` may unpack to."""
    mqtt_message_max_bytes: int = 1_000_000
    """Longest message, as it comes, that the listener takes from the broker."""
    alert_attachments_max_bytes: int = 15_000_000
    """What is attached to one alert mail in all; most mail servers refuse more than 20 MB, encoding included."""

    def __post_init__(self) -> None:
        for logical, path in self.models.items():
            if logical not in FACILITY_MODELS:
                raise errors.ConfigurationError(
                    f"TASK_CATALOG['models'] maps {logical!r}, which no task knows; known: "
                    f"{', '.join(sorted(FACILITY_MODELS))}.{errors.did_you_mean(logical, FACILITY_MODELS)}"
                )
            if not isinstance(path, str) or path.count(".") != 1:
                raise errors.ConfigurationError(
                    f"TASK_CATALOG['models'][{logical!r}] is {path!r}; right is 'app_label.Model'."
                )
        for name in (
            "none_id",
            "planning_horizon_hours",
            "ppm_horizon_days",
            "autoclose_lookback_days",
            "pdf_memory_mb",
            *("report_inline_bytes", "report_pdf_rows"),
            # mobile
            *("graphql_max_chars", "graphql_max_depth", "graphql_max_aliases", "graphql_max_fields"),
            *("download_max_bytes", "upload_max_bytes", "mqtt_message_max_bytes", "alert_attachments_max_bytes"),
            "reply_valid_days",
        ):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or value < 1:
                raise errors.ConfigurationError(f"TASK_CATALOG[{name!r}] is {value!r}; right is a whole number from 1.")
        for name in ("route_speed_kmh", "mail_timeout_s", "report_pdf_timeout_s"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int | float) or not value > 0:
                raise errors.ConfigurationError(f"TASK_CATALOG[{name!r}] is {value!r}; right is a number above 0.")
        for name in ("ondemand_reports_folder", "scheduled_reports_folder"):
            folder = getattr(self, name)
            if not isinstance(folder, str) or (folder and not os.path.isabs(folder)):
                raise errors.ConfigurationError(
                    f"TASK_CATALOG[{name!r}] is {folder!r}; right is an absolute path, as text."
                )
        if isinstance(self.admin_emails, str):
            raise errors.ConfigurationError(
                f"TASK_CATALOG['admin_emails'] is {self.admin_emails!r}; right is a list of addresses."
            )
        for name, value in outside_settings.checked(self).items():
            object.__setattr__(self, name, value)
        object.__setattr__(self, "models", MappingProxyType({**FACILITY_MODELS, **self.models}))
        object.__setattr__(self, "admin_emails", tuple(self.admin_emails))
        object.__setattr__(self, "host", self.host.rstrip("/"))


@functools.cache
def catalog() -> Settings:
    """The settings, read once.

    Raises ConfigurationError for a key that does not exist, with the nearest one that does, and for a value that
    cannot be meant.
    """
    given: Mapping[str, Any] = getattr(django_settings, "TASK_CATALOG", {})
    known = {each.name for each in fields(Settings)}
    for key in given:
        if key == "fields":
            raise errors.ConfigurationError(_NO_RENAMING)
        if key not in known:
            raise errors.ConfigurationError(
                f"TASK_CATALOG has no key {key!r}; known: {', '.join(sorted(known))}.{errors.did_you_mean(key, known)}"
            )
    return Settings(**given)


def _forget(*, setting: str, **kwargs: object) -> None:
    if setting == "TASK_CATALOG":
        catalog.cache_clear()


setting_changed.connect(_forget, dispatch_uid="task_catalog.conf")
