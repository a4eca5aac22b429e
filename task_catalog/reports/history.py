"""create_report_history (T26): the record of every report that was asked for or came by itself."""

from __future__ import annotations

from typing import Any

from django.db import transaction

from task_catalog import entities
from task_catalog.arguments import task
from task_catalog.ports import clock
from task_catalog.reporting.cells import clean
from task_catalog.reporting.telling import without_secrets
from task_catalog.reporting.units import Units
from task_catalog.rules.local_time import UNKNOWN
from youtility_tasks import BadInput, Retry, TaskContext, current_tenant, effects, queues

_EXPORT_TYPES = {"SEND": "EMAIL", "EMAIL": "EMAIL", "SCHEDULED": "SCHEDULED", "DOWNLOAD": "DOWNLOAD"}
_PARTS_OF_ERROR = 3
_LONGEST = {"report_name": 100, "export_type": 55, "mails": 250, "email_body": 500}


@task(
    name="create_report_history",
    queue_name=queues.REPORTS,
    priority=6,
    retry=Retry(5, base=10, factor=2, cap=300),
    timeout_s=15,
    takes_context=True,
    seed_class="low",
)
def create_report_history(
    context: TaskContext,
    *,
    formdata: dict[str, Any],
    userid: int,
    buid: int,
    EI: list[str | None],
    client_id: int | None = None,
    has_data: bool = True,
    request_key: str | None = None,
    made_error: dict[str, str] | None = None,
    mail_error: dict[str, str] | None = None,
    file_error: dict[str, str] | None = None,
) -> dict[str, Any]:
    """Write the one history row of a report: who, what, to whom, and the traceback if it failed.

    `EI` is [error type, error text, traceback], each null when there was no error; in a workflow the steps before say theirs, as
    `{class, message, traceback}`: that made the report, mailed it, or mailed its file. `id` in the result is null when the
    row was there before.

    Second attempt: same effect key `report-history:{request_key}`, so there is one row.
    """
    tenant_id = current_tenant()
    failed = made_error or mail_error or file_error
    if failed:
        EI = [failed.get("class"), failed.get("message"), failed.get("traceback")]
    _check(formdata, EI, client_id, tenant_id)
    assert tenant_id is not None  # noqa: S101 - a task of one tenant
    person_id = _known_person(userid, tenant_id)
    unit_id = _known_unit(buid, tenant_id)
    key = f"report-history:{request_key or f'job:{context.job_id}'}"
    with transaction.atomic():
        if not effects.once(key, bu_id=unit_id):
            return {"status": "duplicate", "warnings": [], "id": None}
        row = entities.ReportHistory.objects.create(
            user_id=person_id,
            bu_id=unit_id,
            client_id=tenant_id,
            datetime=clock.now().replace(microsecond=0),
            has_data=bool(has_data),
            traceback=_told(EI),
            **_columns(formdata),
        )
    return {"status": "ok", "warnings": [], "id": row.pk}


def _columns(form: dict[str, Any]) -> dict[str, Any]:
    export_type = str(form.get("export_type") or "DOWNLOAD")
    offset = form.get("ctzoffset")
    if isinstance(offset, str) and offset.lstrip("-").isdecimal() and len(offset) < 6:
        offset = int(offset)
    return {
        "export_type": _EXPORT_TYPES.get(export_type, export_type)[: _LONGEST["export_type"]],
        "report_name": _text(form.get("report_name"), "report_name"),
        "params": without_secrets(form),
        "ctzoffset": offset if isinstance(offset, int) and abs(offset) < 10_000 else UNKNOWN,
        "to_mails": _text(_joined(form.get("to_addr")), "mails"),
        "cc_mails": _text(_joined(form.get("cc")), "mails"),
        "email_body": _text(form.get("email_body"), "email_body"),
    }


def _check(form: Any, error: Any, client_id: Any, tenant_id: int | None) -> None:
    if not isinstance(form, dict):
        raise BadInput(f"create_report_history: formdata is {form!r:.80}; right is an object.")
    if not isinstance(error, list) or len(error) != _PARTS_OF_ERROR or not all(
        part is None or isinstance(part, str) for part in error
    ):  # fmt: skip
        raise BadInput(
            f"create_report_history: EI is {error!r:.80}; right is [error type, error text, traceback], each text or null."
        )
    if client_id is not None and client_id != tenant_id:
        raise BadInput(f"create_report_history: client_id is {client_id!r}, and this job is of client {tenant_id}.")


def _known_person(userid: Any, client_id: int) -> int:
    is_id = isinstance(userid, int) and not isinstance(userid, bool)
    if is_id and entities.is_none(userid):
        return int(userid)
    if not is_id or not entities.Person.objects.filter(pk=userid, client_id=client_id).exists():
        raise BadInput(f"create_report_history: client {client_id} has no user {userid!r}.")
    return int(userid)


def _known_unit(buid: Any, client_id: int) -> int:
    if isinstance(buid, bool) or not isinstance(buid, int) or buid not in Units(client_id).names:
        raise BadInput(f"create_report_history: client {client_id} has no site {buid!r}.")
    return buid


def _joined(given: Any) -> str:
    return ",".join(str(each).strip() for each in given) if isinstance(given, list) else str(given or "")


def _text(given: Any, column: str) -> str:
    return clean(str(given or ""))[: _LONGEST[column]]


def _told(error: list[str | None]) -> str:
    kind, message, lines = error
    if lines:
        return clean(lines)
    return clean(": ".join(part for part in (kind, message) if part))
