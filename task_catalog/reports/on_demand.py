"""create_save_report_async (T18) and send_report_on_email (T19): reports that a person waits for."""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.db import transaction

from task_catalog import entities, keys
from task_catalog.arguments import task
from task_catalog.conf import catalog
from task_catalog.email.reports import send_generated_report_onfly_email
from task_catalog.ports import clock, mail
from task_catalog.reporting import awaiting, delivery, files, telling
from task_catalog.reporting.making import make
from task_catalog.reporting.registry import ALIASES, FORMATS
from task_catalog.reporting.request import Asked, read
from task_catalog.reporting.telling import Request, tell
from task_catalog.reporting.writers import MEDIA_TYPES
from task_catalog.sweeps import shortened
from youtility_tasks import BadInput, Retry, TaskContext, current_tenant, current_workflow, effects, queues
from youtility_tasks.conf import settings

DOWNLOAD, SEND = "DOWNLOAD", "SEND"
MADE, SENT, NO_DATA = 200, 201, 404
"""The result's status, which the report page reads."""
INLINE, BY_FILE = "inline", "file"
"""How a report that is to be mailed goes on: inside the mail's job, or as a file beside it."""
_LONGEST_NAME = 100
_ROOM_IN_RESULT = 16 * 1024
_NOT_IN_NAMES = re.compile(r"[^\w .()-]+")


def _same_request(arguments: dict[str, Any]) -> str:
    return f"report:{arguments['user_id']}:{keys.digest_json(arguments['formdata'])}"


@task(
    name="create_save_report_async",
    queue_name=queues.REPORTS,
    priority=3,
    retry=Retry(3, base=15, factor=2, cap=60),
    timeout_s=300,
    queueing_lock=_same_request,
    isolated=True,
    takes_context=True,
    seed_class="reports",
)
def create_save_report_async(
    context: TaskContext, *, formdata: dict[str, Any], client_id: int, user_email: str | None, user_id: int
) -> dict[str, Any]:
    """Make the report that the page's form asks for; store it for download or hand it over to be mailed.

    `formdata` carries instants and dates as ISO text. A report without rows is an outcome, not a failure. `status` in the
    result is 200 (stored: `filepath`, `filename`), 201 (handed over) or 404 (no rows); a bad request fails the job.

    In a workflow the mail and the history are its next steps: `way` and `mail` say which mail and with what, `request_key`,
    `unit_id` and `has_data` are for the history.

    Second attempt: writes the file of this very request again under its own name; each request is its own.
    """
    job = _Job(context, formdata, client_id, user_email, user_id)
    for_next_steps = (
        {} if current_workflow() is None else {"request_key": job.request.key, "unit_id": job.request.unit_id}
    )
    with files.draft(job.folder) as draft:
        made = make(job.asked, draft.path)
        warnings = shortened([*made.warnings, *job.warnings])
        if not made.has_data:
            tell(job.request, has_data=False)
            for_next_steps |= {"has_data": False} if for_next_steps else {}
            message = "No data found for these filters."
            return {"status": NO_DATA, "message": message, "warnings": warnings, **for_next_steps}
        for_next_steps |= {"has_data": True} if for_next_steps else {}
        if job.export_type == DOWNLOAD:
            path = draft.keep_as(job.stored_name, clock.now())
            tell(job.request)
            return {
                "status": MADE,
                "filepath": str(path),
                "filename": files.without_token(path.name),
                "message": "The report is ready.",
                "rows": made.row_count,
                "warnings": warnings,
                **for_next_steps,
            }
        if for_next_steps:
            for_next_steps |= job.mail_of_next_step(draft)
        else:
            job.hand_over(draft)
    message = "The report is on its way."
    return {"status": SENT, "message": message, "rows": made.row_count, "warnings": warnings, **for_next_steps}


@telling.request_of("create_save_report_async")
def request_of_job(job_id: int, arguments: Mapping[str, Any]) -> Request:
    """The request that a job stands for, good or bad."""
    form = arguments.get("formdata")
    site = form.get("site") if isinstance(form, dict) else None
    unit_id = int(site) if isinstance(site, str) and site.isascii() and site.isdecimal() else site
    return telling.request_of_form(str(job_id), form, user_id=arguments.get("user_id"), unit_id=unit_id)


class _Job:
    """One request, checked; everything that can be wrong with it is found before a row is read."""

    def __init__(self, context: TaskContext, form: Any, client_id: Any, user_email: Any, user_id: Any) -> None:
        tenant_id = current_tenant()
        if tenant_id is None or client_id != tenant_id:
            raise BadInput(
                f"create_save_report_async: client_id is {client_id!r}, and this job is of client {tenant_id}."
            )
        is_id = isinstance(user_id, int) and not isinstance(user_id, bool)
        if not is_id or not entities.Person.objects.filter(pk=user_id, client_id=tenant_id).exists():
            raise BadInput(f"create_save_report_async: client {tenant_id} has no user {user_id!r}.")
        self.asked: Asked = read(form, client_id=tenant_id)
        given = form.get("export_type")
        self.export_type = DOWNLOAD if given in (None, "") else str(given).upper()
        if self.export_type not in (DOWNLOAD, SEND):
            raise BadInput(f"export_type is {form.get('export_type')!r}; right is {DOWNLOAD} or {SEND}.")
        self.delivery = delivery.of_form(form) if self.export_type == SEND else None
        self.warnings = () if self.delivery is None else self.delivery.warnings
        self.folder = files.of_tenant(files.on_demand_folder(), tenant_id, user_id)
        self.form: dict[str, Any] = form
        self.user_email = str(user_email or "")
        self.request = Request(key=str(context.job_id), form=form, user_id=user_id, unit_id=self.asked.unit_id)
        self._tenant_id = tenant_id

    @property
    def stored_name(self) -> str:
        """The same in each attempt, unguessable, and with the period for the eye."""
        filters = self.asked.filters
        covered = files.days(filters.start, filters.end, filters.offset)
        mark = files.token(self._tenant_id, "request", self.request.key)
        return f"{self.asked.report.code}__{covered}__{mark}.{self.asked.format}"

    def hand_over(self, draft: files.Draft) -> None:
        """Enqueue the mail of this request, once; the file stays only if the job cannot carry it."""
        inline = self._inline_if_small(draft)
        with transaction.atomic():
            if not effects.once(f"report:{self.request.key}", bu_id=self.request.unit_id):
                return
            if inline is not None:
                send_report_on_email.enqueue(**inline)
            else:
                send_generated_report_onfly_email.enqueue(**self._by_file(draft.keep_as(self.stored_name, clock.now())))

    def mail_of_next_step(self, draft: files.Draft) -> dict[str, Any]:
        """Which mail carries the report, and its arguments; the file stays only if these cannot."""
        inline = self._inline_if_small(draft)
        if inline is not None:
            return {"way": INLINE, "mail": inline}
        with transaction.atomic():
            if effects.once(f"report:{self.request.key}", bu_id=self.request.unit_id):
                mail = self._by_file(draft.keep_as(self.stored_name, clock.now()))
            else:  # an attempt before handed it over; by now the file may be mailed and gone, and is not to come back
                mail = self._mail_of(draft.path.with_name(self.stored_name))
        return {"way": BY_FILE, "mail": mail}

    def _inline_if_small(self, draft: files.Draft) -> dict[str, Any] | None:
        content = draft.path.read_bytes() if draft.size <= catalog().report_inline_bytes else None
        return None if content is None else self._inline(content)

    def _inline(self, content: bytes) -> dict[str, Any] | None:
        """The arguments of the job that carries the report, or None when they are too large for one."""
        arguments = {
            "formdata": {
                **telling.without_secrets(self.form),
                "format": self.asked.format,
                "user_id": self.request.user_id,
                "bu_id": self.request.unit_id,
            },
            "json_report": json.dumps({"report": base64.b64encode(content).decode()}),
            "request_key": self.request.key,
        }
        # as arguments of a job, and as a part of this one's result
        most = min(settings().max_args_bytes, settings().max_result_bytes - _ROOM_IN_RESULT)
        return arguments if len(json.dumps(arguments, ensure_ascii=False).encode()) <= most else None

    def _by_file(self, path: Path) -> dict[str, Any]:
        """Promise the file's mail; its arguments."""
        mail = self._mail_of(path)
        awaiting.promise_file(mail["filepath"], awaiting.sha_of(path), self.request)
        return mail

    def _mail_of(self, path: Path) -> dict[str, Any]:
        assert self.delivery is not None  # noqa: S101 - only a SEND is handed over
        return {
            "filepath": awaiting.relative(path, files.on_demand_folder()),
            "fromemail": self.user_email,
            "to": list(self.delivery.to),
            "cc": list(self.delivery.cc) or None,
            "ctzoffset": self.asked.filters.offset,
        }


@task(
    name="send_report_on_email",
    queue_name=queues.REPORTS,
    priority=4,
    retry=Retry(6, base=60, factor=2, cap=900),
    timeout_s=60,
    seed_class="reports",
)
def send_report_on_email(
    *, formdata: dict[str, Any], json_report: str, request_key: str | None = None
) -> dict[str, Any]:
    """Mail a small report that travels inside the job; `json_report` is `{"report": "<base64>"}`.

    `request_key` is the job that made the report; without it the content and the recipients tell requests apart.

    Second attempt: same effect key `report-mail:{request_key}` and Message-ID, so nobody gets two mails.
    """
    small = _checked_mail(formdata, json_report, request_key)
    warnings = list(small.delivery.warnings)
    key = f"report-mail:{small.request.key}"
    message = mail.Message(
        task="send_report_on_email",
        key=key,
        to=small.delivery.to,
        cc=small.delivery.cc,
        template="report_requested",
        context={
            "report_name": small.name,
            "email_body": str(formdata.get("email_body") or ""),
            "facts": [],
            "company_name": catalog().company_name,
        },
        attachments=[mail.Attachment(name=small.filename, content=small.content, media_type=small.media_type)],
    )

    def deliver(message_id: str) -> None:
        warnings.extend(mail.deliver(message, message_id).warnings)

    sent = effects.perform(key, deliver, bu_id=small.request.unit_id)
    tell(small.request)
    return {
        "status": "ok" if sent else "duplicate",
        "filename": small.filename,
        "size": len(small.content),
        "recipients": len(small.delivery.to) + len(small.delivery.cc),
        "warnings": shortened(warnings),
    }


@dataclass(frozen=True, slots=True)
class _SmallReport:
    name: str
    filename: str
    media_type: str
    content: bytes
    delivery: delivery.Delivery
    request: Request


def _checked_mail(form: Any, json_report: Any, request_key: str | None) -> _SmallReport:
    if not isinstance(form, dict):
        raise BadInput(f"send_report_on_email: formdata is {form!r:.80}; right is an object.")
    format = str(form.get("format") or "").lower()
    format = ALIASES.get(format, format)
    if format not in FORMATS:
        raise BadInput(f"send_report_on_email: format is {form.get('format')!r}; right is one of {', '.join(FORMATS)}.")
    content = _unpacked(json_report)
    to = delivery.of_form(form)
    name = _NOT_IN_NAMES.sub("_", str(form.get("report_name") or "report")).strip(" .")[:_LONGEST_NAME] or "report"
    return _SmallReport(
        name=name,
        filename=f"{name}.{format}",
        media_type=MEDIA_TYPES[format],
        content=content,
        delivery=to,
        request=_mail_request(form, json_report, request_key),
    )


def _mail_request(form: Any, json_report: Any, request_key: Any) -> Request:
    """The request that a mail of T19 belongs to, good or bad."""
    known_as = request_key if isinstance(request_key, str) and request_key else keys.digest_json([form, json_report])
    held = form if isinstance(form, dict) else {}
    return telling.request_of_form(known_as, held, user_id=held.get("user_id"), unit_id=held.get("bu_id"))


@telling.request_of("send_report_on_email")
def _request_of_mail(job_id: int, arguments: Mapping[str, Any]) -> Request:
    return _mail_request(arguments.get("formdata"), arguments.get("json_report"), arguments.get("request_key"))


def _unpacked(json_report: Any) -> bytes:
    wrong = "send_report_on_email: json_report is no JSON object with the report as base64 under 'report'"
    try:
        held = json.loads(json_report)
        content = base64.b64decode(held["report"], validate=True)
    except (TypeError, KeyError, ValueError, RecursionError, binascii.Error) as error:
        raise BadInput(f"{wrong}: {type(error).__name__}.") from error
    if not content:
        raise BadInput("send_report_on_email: the report is empty.")
    return content
