"""W3: a report is made, mailed if that was asked for, and entered in the history, whatever became of it."""

from __future__ import annotations

from typing import Any

from task_catalog.email.reports import send_generated_report_onfly_email
from task_catalog.reporting import telling
from task_catalog.reports.history import create_report_history
from task_catalog.reports.on_demand import BY_FILE, INLINE, create_save_report_async, send_report_on_email
from youtility_tasks import COMPLETION, Run, Workflow

NAME = "report on demand"


def begin(*, formdata: dict[str, Any], client_id: int, user_email: str, user_id: int) -> Run:
    """Make the report that a form asks for, in the caller's transaction. The run's step `create_save_report_async` is what the page
    waits for; its result says where the file is."""
    request = telling.request_of_form("", formdata, user_id=user_id, unit_id=_number(formdata.get("site")))
    flow = Workflow(NAME)
    made = flow.step(
        create_save_report_async, formdata=formdata, client_id=client_id, user_email=user_email, user_id=user_id
    )
    way, mail = made.result["way"].or_else(None), made.result["mail"]
    small = flow.step(
        send_report_on_email,
        after=made,
        when=way.equals(INLINE),
        args={name: mail[name] for name in ("formdata", "json_report", "request_key")},
    )
    large = flow.step(
        send_generated_report_onfly_email,
        after=made,
        when=way.equals(BY_FILE),
        args={name: mail[name] for name in ("filepath", "fromemail", "to", "cc", "ctzoffset")},
    )
    flow.step(
        create_report_history,
        after={made: COMPLETION, small: COMPLETION, large: COMPLETION},
        formdata=telling.form_to_keep(request.form),
        userid=request.user_id,
        buid=made.result["unit_id"].or_else(request.unit_id),
        EI=[None, None, None],
        client_id=client_id,
        has_data=made.result["has_data"].or_else(False),
        request_key=made.result["request_key"].or_else(None),
        made_error=made.error,
        mail_error=small.error,
        file_error=large.error,
    )
    return flow.start()


def _number(site: Any) -> Any:
    return int(site) if isinstance(site, str) and site.isascii() and site.isdecimal() else site
