"""send_generated_report_onfly_email (T31): mails a report that is too large to travel inside a job."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from task_catalog import entities
from task_catalog.arguments import task
from task_catalog.conf import catalog
from task_catalog.ports import clock, mail
from task_catalog.reporting import awaiting, delivery, files
from task_catalog.reporting.telling import Request, request_of, request_of_form, tell
from task_catalog.reporting.writers import MEDIA_TYPES
from task_catalog.rules.local_time import is_known, local, shown
from task_catalog.rules.recipients import valid_addresses
from task_catalog.sweeps import shortened
from youtility_tasks import BadInput, Retry, current_tenant, effects, queues


@task(
    name="send_generated_report_onfly_email",
    queue_name=queues.EMAIL,
    priority=4,
    retry=Retry(6, base=60, factor=2, cap=900),
    timeout_s=120,
    seed_class="low",
)
def send_generated_report_onfly_email(
    *, filepath: str, fromemail: str | None, to: list[str], cc: list[str] | None, ctzoffset: int
) -> dict[str, Any]:
    """Mail a report's file and delete it once the mail is known to have gone.

    `filepath` must be below the report folder; `fromemail`, if there is one, becomes Reply-To; `ctzoffset` is minutes east of UTC, for
    the time in the subject.

    Second attempt: same effect key `onfly:{path}:{sha256}` and Message-ID; a file that is gone after its mail is
    `duplicate`.
    """
    path, relative = _path_of(filepath)
    addressed = delivery.of(to, cc)
    warnings = list(addressed.warnings)
    result = {"file": relative, "recipients": len(addressed.to) + len(addressed.cc)}
    promised = awaiting.file_promised(relative)
    if not path.is_file():
        return _of_a_missing_file(relative, promised, {**result, "warnings": warnings})
    sha = awaiting.sha_of(path)
    if promised is not None and promised[0] != sha:
        raise BadInput(f"The report {relative!r} is not what was made: its content has changed since.")
    request = _request_of_file(relative, fromemail) if promised is None else promised[1]
    awaiting.promise_file(relative, sha, request)
    key = awaiting.mail_key(relative, sha)
    message = _message(key, path, request, addressed, _reply_to(fromemail, warnings), ctzoffset)

    def deliver(message_id: str) -> None:
        warnings.extend(mail.deliver(message, message_id).warnings)

    sent = effects.perform(key, deliver, bu_id=request.unit_id)
    awaiting.release_file(relative, "mailed")
    tell(request)
    path.unlink(missing_ok=True)
    return {**result, "status": "ok" if sent else "duplicate", "deleted": True, "warnings": shortened(warnings)}


@request_of("send_generated_report_onfly_email")
def _request_of_failed(job_id: int, arguments: Mapping[str, Any]) -> Request:
    """The request of a job that failed for good; its file is kept until cleanup, for a retry by hand, and no longer."""
    fromemail = arguments.get("fromemail")
    try:
        _, relative = _path_of(arguments.get("filepath"))
    except BadInput:
        form = {"report_name": str(arguments.get("filepath")), "export_type": "SEND"}
        return request_of_form(f"onfly:job:{job_id}", form, user_id=_person_with(fromemail))
    promised = awaiting.file_promised(relative)
    if promised is None:
        return _request_of_file(relative, fromemail)
    awaiting.release_file(relative, "its mail failed")
    return promised[1]


def _path_of(filepath: Any) -> tuple[Path, str]:
    """A report file of the current client, and its path below the folder. Raises BadInput for any other path."""
    folder = Path(files.on_demand_folder()).resolve()
    path = files.within(files.of_tenant(files.on_demand_folder(), current_tenant() or 0), _below(filepath))
    return path, awaiting.relative(path, folder)


def _below(filepath: Any) -> Any:
    """A path relative to the folder of all clients, as one below the client's own; anything else is left as it is."""
    own = f"{current_tenant()}/"
    if isinstance(filepath, str) and filepath.startswith(own):
        return filepath.removeprefix(own)
    return filepath


def _request_of_file(relative: str, fromemail: Any) -> Request:
    """The request of a file that T18 did not hand over: whoever has that address asked for it."""
    from_whom = _person_with(fromemail)
    return request_of_form(
        f"onfly:{relative}", {"report_name": Path(relative).name, "export_type": "SEND"}, user_id=from_whom
    )


def _person_with(address: Any) -> int | None:
    if not isinstance(address, str) or not address.strip():
        return None
    people = entities.Person.objects.filter(client_id=current_tenant(), email__iexact=address.strip(), enable=True)
    return people.order_by("pk").values_list("pk", flat=True).first()


def _of_a_missing_file(relative: str, promised: tuple[str, Request] | None, result: dict[str, Any]) -> dict[str, Any]:
    if promised is not None and effects.is_done(awaiting.mail_key(relative, promised[0])):
        awaiting.release_file(relative, "mailed")
        tell(promised[1])
        return {**result, "status": "duplicate", "deleted": True}
    raise BadInput(f"The report {relative!r} is not there and was not mailed. Was it cleaned up? Ask for it again.")


def _reply_to(fromemail: Any, warnings: list[str]) -> str | None:
    found = valid_addresses([fromemail if isinstance(fromemail, str) else None])
    warnings.extend(f"Reply-To: {warning}" for warning in found.warnings)
    return found.addresses[0] if found.addresses else None


def _message(
    key: str,
    path: Path,
    request: Request,
    addressed: delivery.Delivery,
    reply_to: str | None,
    ctzoffset: Any,
) -> mail.Message:
    name = files.without_token(path.name)
    offset = ctzoffset if isinstance(ctzoffset, int) and not isinstance(ctzoffset, bool) and is_known(ctzoffset) else 0
    now = clock.now()
    return mail.Message(
        task="send_generated_report_onfly_email",
        key=key,
        to=addressed.to,
        cc=addressed.cc,
        reply_to=reply_to,
        template="report_onfly",
        context={
            "report_name": str(request.form.get("report_name") or name),
            "at": f"{shown(now, offset)}:{local(now, offset):%S}",
            "email_body": str(request.form.get("email_body") or ""),
            "facts": [],
            "company_name": catalog().company_name,
        },
        attachments=[
            mail.Attachment(
                name=name,
                content=path.read_bytes(),
                media_type=MEDIA_TYPES.get(path.suffix.removeprefix("."), "application/octet-stream"),
            )
        ],
    )
