"""Sees to it that every report that was asked for, or came by itself, has exactly one row in the history.

Whoever ends a request tells it here, in the transaction that ends it; who comes second, or again, changes nothing.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from django.db import transaction

from task_catalog import entities
from youtility_tasks import FinalFailure, current_tenant, current_workflow, effects, errors, tenant
from youtility_tasks.models import Job
from youtility_tasks.registry import get

from .registry import FIELDS
from .units import Units

logger = logging.getLogger(__name__)

HISTORY_TASK = "create_report_history"
TOLD = ("formdata", "userid", "buid", "EI", "client_id", "has_data", "request_key")
_MAKING_TASK = "create_save_report_async"
"""Whoever comes after it mails a report, which has rows."""
_TOLD, _DEAD = "report-told:", "report-dead:"
_LONGEST_TRACEBACK = 20_000
_LONGEST_MESSAGE = 1_000
_LARGEST_FORM = 64 * 1024
_KNOWN_FIELDS = (
    "report_name",
    "format",
    "export_type",
    "ctzoffset",
    "to_addr",
    "cc",
    "email_body",
    "sitegroup",
    *FIELDS,
)
_SECRET = re.compile(r"passw|secret|token|csrf|api_?key|authori[sz]ation|credential", re.IGNORECASE)

Trouble = tuple[str | None, str | None, str | None]
"""Error type, error text, traceback; each None when there was no error."""
NO_TROUBLE: Trouble = (None, None, None)


RequestOfJob = Callable[[int, Mapping[str, Any]], "Request"]
_find: dict[str, RequestOfJob] = {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A request for a report, as its history will know it. `form` keeps no secrets."""

    key: str
    form: Mapping[str, Any]
    user_id: int
    unit_id: int

    def as_json(self) -> dict[str, Any]:
        return {"key": self.key, "form": form_to_keep(self.form), "user_id": self.user_id, "unit_id": self.unit_id}

    @classmethod
    def of_json(cls, stored: Mapping[str, Any]) -> Request:
        return cls(key=stored["key"], form=stored["form"], user_id=stored["user_id"], unit_id=stored["unit_id"])


def tell(request: Request, *, has_data: bool = True, trouble: Trouble = NO_TROUBLE) -> bool:
    """Enqueue the request's history row; True the first time. In a workflow that is the business of its last step."""
    if current_workflow() is not None:
        return False
    with transaction.atomic():
        first = effects.once(f"{_TOLD}{request.key}", bu_id=request.unit_id)
        if first:
            get(HISTORY_TASK).enqueue(**told_of(request, has_data=has_data, trouble=trouble))
    return first


def told_of(request: Request, *, has_data: bool, trouble: Trouble) -> dict[str, Any]:
    """What the history is told of a request that has ended: the arguments `TOLD` of `create_report_history`."""
    kind, message, lines = trouble
    return {
        "formdata": form_to_keep(request.form),
        "userid": request.user_id,
        "buid": request.unit_id,
        "EI": [kind, message and message[:_LONGEST_MESSAGE], lines and lines[-_LONGEST_TRACEBACK:]],
        "client_id": current_tenant(),
        "has_data": has_data,
        "request_key": request.key,
    }


def request_of(task_name: str) -> Callable[[RequestOfJob], RequestOfJob]:
    """Decorates what finds the request of such a task's job, from its id and arguments, good or bad; a job of that task
    that fails for good is then told of."""

    def remember(find: RequestOfJob) -> RequestOfJob:
        _find[task_name] = find
        return find

    return remember


def tell_of_failure(failure: FinalFailure) -> None:
    """Tell of a request whose job failed for good; one of `youtility_tasks.on_final_failure`."""
    find = _find.get(failure.task.name)
    if find is not None:
        with tenant(failure.tenant_id):
            trouble = failure.error_class, failure.error_message, failure.traceback
            has_data = failure.task.name != _MAKING_TASK
            request = find(failure.job_id, failure.arguments)
            if failure.workflow_id is None:
                tell(request, has_data=has_data, trouble=trouble)


def tell_of_dead_letters() -> int:
    """Tell of the current tenant's requests whose jobs ended without a word, because their process died; how many."""
    of_their_own = Job.objects.dead_letters().filter(step_id=None)  # a workflow tells of its own
    dead = list(of_their_own.filter(tenant_id=current_tenant() or 0, task_name__in=list(_find)))
    looked_at = effects.done_among(f"{_DEAD}{job.pk}" for job in dead)
    return sum(_tell_of(job) for job in dead if f"{_DEAD}{job.pk}" not in looked_at)


def _tell_of(job: Job) -> bool:
    words = f"Job {job.pk} ended without a report; `manage_task_queue show {job.pk}` has its attempts."
    try:
        with transaction.atomic():
            effects.once(f"{_DEAD}{job.pk}")
            request = _find[job.task_name](job.pk, job.args)
            has_data = job.task_name != _MAKING_TASK
            return tell(request, has_data=has_data, trouble=("ProcessDied", words, None))
    except errors.SoftTimeLimit:
        raise
    except Exception:
        logger.warning("request not told, the others are id=%s task=%s", job.pk, job.task_name, exc_info=True)
        return False


def request_of_form(key: str, form: Any, *, user_id: Any = None, unit_id: Any = None) -> Request:
    """A request from whatever was passed, good or bad: a person who is not the client's becomes NONE, a place the
    person's own or the client itself, so that even a refused request can be told."""
    client_id = current_tenant() or entities.none_id()
    person = entities.Person.objects.filter(pk=_number(user_id), client_id=client_id).first()
    own = (_number(unit_id), 0 if person is None else person.bu_id or 0)
    known = Units(client_id).names
    return Request(
        key=key,
        form=form if isinstance(form, Mapping) else {},
        user_id=entities.none_id() if person is None else person.pk,
        unit_id=next((unit for unit in own if unit in known), client_id),
    )


def form_to_keep(form: Mapping[str, Any]) -> dict[str, Any]:
    """What a job, a promise and the history hold of a form: no secrets, and of a huge one the fields that are known."""
    kept = without_secrets(form)
    if len(json.dumps(kept, default=str)) <= _LARGEST_FORM:
        return kept
    return {name: str(kept[name])[:_LONGEST_MESSAGE] for name in _KNOWN_FIELDS if name in kept}


def without_secrets(form: Mapping[str, Any]) -> dict[str, Any]:
    """A form as the history may keep it: fields that sound like a secret are left out, at any depth."""
    return {str(name): _plain(value) for name, value in form.items() if not _SECRET.search(str(name))}


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return without_secrets(value)
    return [_plain(each) for each in value] if isinstance(value, list) else value


def _number(value: Any) -> int:
    is_one = isinstance(value, int) and not isinstance(value, bool) and 0 < value < 2**63
    return value if is_one else 0
