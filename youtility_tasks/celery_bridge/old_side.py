"""The old side: calls as messages of a real Celery, which is loaded when it is first needed. `in_celery` has our tasks in its workers.

A message says in its headers for which tenant it is and when it was sent. Celery gets it at once, as it always did: a caller whose
transaction is rolled back afterwards does not take it back, and a call that is to wait for the commit says so itself (`on_commit`).
"""

from __future__ import annotations

import base64
import json
import logging
import time
import uuid
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from django.utils.module_loading import import_string

from youtility_tasks import tenants
from youtility_tasks.conf import settings
from youtility_tasks.declaration import Task
from youtility_tasks.errors import ConfigurationError, NotOfCelery

from . import extra, joining, known

TENANT, SENT = "youtility_tenant", "youtility_sent"
"""Headers of a message: the tenant's id, and when it was sent (seconds since 1970)."""
_OPTIONS = frozenset(
    ("countdown", "eta", "expires", "queue", "priority", "link", "link_error", "task_id", "ignore_result", "headers", "retry",
     "retry_policy", "shadow", "serializer", "compression", "time_limit", "soft_time_limit", "exchange", "routing_key",
     "add_to_parent", "reply_to", "root_id", "parent_id", "group_id", "group_index", "chord", "chain", "stamped_headers",
     "exchange_type", "delivery_mode", "mandatory", "immediate", "declare", "connection", "producer", "publisher", "router", "argsrepr", "kwargsrepr")
)  # fmt: skip

logger = logging.getLogger(__name__)


def application() -> Any:
    """The real Celery application: the setting `celery_app`, else the one that this process has made current. Raises ExtraMissing,
    ConfigurationError."""
    extra.must_be_there()
    named = settings().celery_app
    if named is not None:
        try:
            found = import_string(named)
        except ImportError as error:
            raise ConfigurationError(f"YOUTILITY_TASKS: celery_app is {named!r}: {error}") from error
    else:
        import celery

        found = celery.current_app._get_current_object()
    if not hasattr(found, "send_task") or not hasattr(found, "amqp"):
        raise ConfigurationError(
            f"YOUTILITY_TASKS: celery_app is {named!r}, which is {found!r:.80} and no Celery application."
        )
    joining.settle()
    return found


def send(
    task: Task, args: Sequence[Any], kwargs: Mapping[str, Any], options: Mapping[str, Any], *, celery_id: str, tenant_id: int
) -> None:  # fmt: skip
    """Send one call to Celery, under this id; it is sent when this returns. Raises NotOfCelery for an option that Celery has not, and
    what Celery raises when its broker is away."""
    app = application()
    said = {name: each for name, each in options.items() if each is not None}
    if known.of(task) is None and isinstance(said.get("priority"), int):
        said["priority"] -= 1  # ours are 1 to 10
    said |= {"task_id": celery_id, "headers": {**(options.get("headers") or {}), **_headers(tenant_id)}}
    for name in said:
        if name not in _OPTIONS:
            raise NotOfCelery(f"Task {task.name!r}: apply_async of Celery has no option {name!r}. Nothing was sent.")
    for name in ("link", "link_error"):
        if said.get(name):
            said[name] = [_theirs(each) for each in _listed(said[name])]
    theirs = app.tasks.get(task.name)
    if theirs is not None:
        theirs.apply_async(tuple(args), dict(kwargs), **said)
    else:
        app.send_task(task.name, tuple(args), dict(kwargs), **said)
    logger.debug("sent to Celery id=%s task=%s tenant=%s", celery_id, task.name, tenant_id)


def send_canvas(canvas: Mapping[str, Any], args: Sequence[Any], kwargs: Mapping[str, Any], options: Mapping[str, Any], *, tenant_id: int) -> Any:  # fmt: skip
    """Start a canvas in Celery, as a whole; Celery's own result of it. Each of its messages has the headers of a call."""
    made = _theirs(canvas)
    headers = {**(options.get("headers") or {}), **_headers(tenant_id)}
    _put_headers(made, headers)
    return made.apply_async(tuple(args), dict(kwargs), **{**options, "headers": headers})


def _headers(tenant_id: int) -> dict[str, Any]:
    return {TENANT: tenant_id, SENT: time.time()}


def _listed(given: Any) -> list[Any]:
    return list(given) if isinstance(given, list | tuple) else [given]


def _theirs(signature: Any) -> Any:
    """A signature of ours, or the dict that it is, as Celery's."""
    from celery.canvas import Signature

    return (
        signature if isinstance(signature, Signature) else Signature.from_dict(_plainly(signature), app=application())
    )


def _plainly(value: Any) -> Any:
    """The same with plain dicts, lists and tuples, which Celery makes its own of."""
    if isinstance(value, Mapping):
        return {key: _plainly(each) for key, each in value.items()}
    return type(value)(_plainly(each) for each in value) if type(value) in (list, tuple) else value


def _put_headers(signature: Any, headers: Mapping[str, Any]) -> None:
    """Into every signature of a canvas."""
    inside = signature.get("kwargs") or {}
    parts = [*_listed(inside.get("tasks") or ()), *filter(None, [inside.get("header"), inside.get("body")])]
    for each in parts:
        for one in _listed(each) if not isinstance(each, Mapping) else [each]:
            if isinstance(one, Mapping):
                _put_headers(one, headers)
    options = signature.get("options")
    if isinstance(options, dict):
        options["headers"] = {**(options.get("headers") or {}), **headers}


def message(
    broker: Any, task: Task, args: Sequence[Any], kwargs: Mapping[str, Any], *, celery_id: str, tenant_id: int, eta: str | None,
    expires: str | None, headers: Mapping[str, Any] | None = None, queue: str | None = None, priority: int | None = None,
) -> tuple[str, str]:  # fmt: skip
    """A call as kombu lays it into Redis: the list, and the text. `queue` and `priority` are what the caller has said."""
    from kombu.serialization import dumps

    app = broker.app
    theirs = app.tasks.get(task.name)
    given = (
        {} if theirs is None else {name: each for name, each in theirs._get_exec_options().items() if each is not None}
    )
    given |= {name: each for name, each in {"queue": queue, "priority": priority}.items() if each is not None}
    route = app.amqp.router.route(given, task.name, args, kwargs, theirs)
    goes_to = route.get("queue")
    name = getattr(goes_to, "name", None) or goes_to or route.get("routing_key") or app.conf.task_default_queue
    made = app.amqp.as_task_v2(celery_id, task.name, tuple(args), dict(kwargs), eta=eta, expires=expires)
    urgency = route.get("priority")
    urgency = int(app.conf.task_default_priority or 0) if urgency is None else int(urgency)
    content_type, encoding, body = dumps(made.body, serializer="json")  # type: ignore[no-untyped-call]
    said = {
        "body": base64.b64encode(body.encode()).decode(),
        "content-encoding": encoding,
        "content-type": content_type,
        "headers": {**(headers or {}), **made.headers, **_headers(tenant_id)},
        "properties": {
            **made.properties, "delivery_mode": 2, "delivery_info": {"exchange": "", "routing_key": name}, "priority": urgency,
            "body_encoding": "base64", "delivery_tag": str(uuid.uuid4()),
        },
    }  # fmt: skip
    return broker.list_of(name, urgency), json.dumps(said)


# -- what a message says of itself


def number_of(celery_id: str) -> int:
    """A number for a call of Celery's, where the ledger wants a job's id: below zero, and the same each time."""
    return -1 - int.from_bytes(uuid.uuid5(uuid.NAMESPACE_OID, celery_id).bytes[:8]) // 4


def tenant_of(request: Any) -> int:
    """For which tenant a message is; 0 where it does not say so."""
    said = request.get(TENANT)
    return said if isinstance(said, int) and not isinstance(said, bool) and said > 0 else tenants.ALL


def due_of(request: Any) -> float | None:
    """Since when a run could have begun, seconds since 1970: its ETA, else when it was sent; None where the message says neither."""
    eta, sent = request.get("eta"), request.get(SENT)
    if isinstance(eta, str):
        try:
            return datetime.fromisoformat(eta).timestamp()
        except ValueError:
            return None
    return float(sent) if isinstance(sent, int | float) and not getattr(request, "retries", 0) else None
