"""Takes messages of devices off the broker's hands: unpacks them, makes them jobs, and says what became of jobs (R-MQ).

Knows nothing of connections; `run_mqtt_listener` has one and brings each message here.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from django.db import InterfaceError, OperationalError

from task_catalog.conf import catalog
from task_catalog.high_priority.mobile import process_graphql_mutation_async
from task_catalog.rules import payloads
from youtility_tasks import BadInput, current_tenant, errors, tenant
from youtility_tasks.models import Job, TaskExecutionHistory
from youtility_tasks.status import CELERY_WORDS

logger = logging.getLogger(__name__)

ANSWERS, STATUS_ANSWERS, OLD_ANSWERS = "response", "response/status", "response/acknowledgement"
PENDING, FAILURE = "PENDING", "FAILURE"
_CLIENT = "{client}"
_MOST_ECHOED = 64 * 1024
"""Bytes of a message that are sent back with its answer; a photo is not."""
_MOST_ASKED = 500


@dataclass(frozen=True, slots=True)
class Answer:
    """What is published in return."""

    topic: str
    body: str


class Reception:
    """Serves the devices of one client or, with a topic prefix that holds `{client}`, of all of them.

    Whoever may publish below a client's prefix speaks for that client: the broker's own rules have to see to it.
    """

    def __init__(self, *, client_id: int | None = None, prefix: str = "") -> None:
        if (client_id is None) == (_CLIENT not in prefix):
            raise errors.ConfigurationError(
                f"For which client are the messages? Right is either a client's id or a topic prefix that holds {_CLIENT}; "
                f"given: {client_id!r} and {prefix!r}."
            )
        self._client_id = client_id
        self._prefix = prefix
        before, _, after = prefix.partition(_CLIENT)
        number = "([1-9][0-9]{0,9})" if _CLIENT in prefix else "()"
        self._address = re.compile(re.escape(before) + number + re.escape(after) + "(.+)")
        self._desks: Mapping[str, Callable[[bytes], tuple[str, Any]]] = {
            "graphql/django5mutation": self._packed,
            "graphql/django5attachment": self._packed,
            "graphql/mutation": self._plain,
            "graphql/mutation/django5status": self._status,
            "graphql/mutation/status": self._status,
        }

    def topics(self) -> list[str]:
        """What to subscribe to."""
        return [self._prefix.replace(_CLIENT, "+") + topic for topic in self._desks]

    def receive(self, topic: str, body: bytes) -> Answer | None:
        """Deal with one message; once this has returned the broker may forget it.

        None: nobody can be answered. Raises OperationalError or InterfaceError when the database is not there: the broker
        must then keep the message and bring it again. Anything else that is wrong with a message is its sender's to hear.
        """
        found = self._address.fullmatch(topic)
        desk = self._desks.get(found[2]) if found else None
        if found is None or desk is None:
            logger.warning("message on an unknown topic bytes=%d", len(body))
            return None
        client_id = self._client_id or int(found[1])
        try:
            with tenant(client_id):
                answer_topic, said = desk(body)
        except (OperationalError, InterfaceError):
            raise
        except errors.UnknownTenant:
            logger.warning("message for a client that does not exist client=%d bytes=%d", client_id, len(body))
            return None
        except Exception:
            logger.exception("message could not be dealt with client=%d bytes=%d", client_id, len(body))
            return None
        return Answer(self._prefix.replace(_CLIENT, str(client_id)) + answer_topic, json.dumps(said))

    def _packed(self, body: bytes) -> tuple[str, dict[str, Any]]:
        longest = catalog().mqtt_message_max_bytes
        try:
            text = payloads.unpacked(body, longest=longest, most_unpacked=payloads.MOST_UNPACKED)
        except BadInput as error:
            return ANSWERS, _refused(str(error))
        said = self._enqueue(text, packed=body.decode())
        return ANSWERS, {**said, "payload": body.decode() if len(body) <= _MOST_ECHOED else ""}

    def _plain(self, body: bytes) -> tuple[str, dict[str, Any]]:
        try:
            if len(body) > catalog().mqtt_message_max_bytes:
                raise BadInput(f"A message of {len(body)} bytes is too large. Send it in parts.")
            text = body.decode()
        except (BadInput, UnicodeDecodeError) as error:
            return OLD_ANSWERS, _refused(str(error))
        said = self._enqueue(text, packed=None)
        return OLD_ANSWERS, {**said, "payload": text if len(body) <= _MOST_ECHOED else ""}

    def _enqueue(self, text: str, *, packed: str | None) -> dict[str, Any]:
        """One job for one delivery: a second delivery becomes a second job, which finds the first one's answer."""
        uuids, service = payloads.said_by_sender(text)
        try:
            try:
                result = process_graphql_mutation_async.enqueue(payload=text)
            except errors.TooLarge:
                if packed is None:
                    raise
                result = process_graphql_mutation_async.enqueue(payload=packed)
        except errors.UnknownTenant:
            raise
        except errors.EnqueueError as error:
            return {**_refused(str(error)), "uuids": uuids, "serviceName": service}
        return {"task_id": result.id, "status": PENDING, "uuids": uuids, "serviceName": service}

    def _status(self, body: bytes) -> tuple[str, list[dict[str, Any]]]:
        """The asked entries, each with a `status`; of a job that nobody knows PENDING, as Celery says."""
        try:
            asked = json.loads(body)
            entries = [dict(each) for each in asked["taskIds"]][:_MOST_ASKED]
        except (ValueError, KeyError, TypeError, RecursionError):
            return STATUS_ANSWERS, []
        words = _words_of({_as_id(each.get("taskId")) for each in entries} - {0})
        return STATUS_ANSWERS, [{**each, "status": words.get(_as_id(each.get("taskId")), PENDING)} for each in entries]


def _refused(why: str) -> dict[str, Any]:
    return {"task_id": None, "status": FAILURE, "uuids": [], "serviceName": "", "payload": "", "error": why}


def _words_of(job_ids: set[int]) -> dict[int, str]:
    """The state of the current tenant's jobs in Celery's words; two queries."""
    words: dict[int, str] = {}
    if job_ids:
        ended = TaskExecutionHistory.objects.last_of_jobs(job_ids).filter(tenant_id=current_tenant() or 0)
        for job_id, status in ended.values_list("job_id", "status"):
            words[job_id] = CELERY_WORDS.get(status, PENDING)
        live = Job.objects.filter(pk__in=job_ids, tenant_id=current_tenant() or 0)
        for job_id, status, attempts in live.values_list("pk", "status", "attempts"):
            words[job_id] = "RETRY" if status == "todo" and attempts else CELERY_WORDS.get(status, PENDING)
    return words


def _as_id(given: object) -> int:
    text = str(given)
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 18 else 0
