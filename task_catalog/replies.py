"""The answer links of "please decide" mails: made here, and read back by the application's reply pages.

A link says in clear who answers what, as the application's pages expect, and carries a token that signs all of it, so
that nobody can answer for another, for another permit, or the other way round. A reply page calls `read` with what the
link had, asks for a confirmation by POST (mail scanners follow links), and looks whether the question is still open.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

from django.core import signing

from task_catalog.conf import catalog
from youtility_tasks import errors

SALT = "task_catalog.replies"
ACCEPTED, REJECTED = "accepted", "rejected"
ACTIONS = (ACCEPTED, REJECTED)


class BadReply(errors.YoutilityTaskError):
    """A link that was not made here, was changed, or is too old; nothing may be decided by it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """One person's answer to one question."""

    step: str
    """What is decided: "verify", "approval", "legacy" or "sla"."""
    womid: str
    """The permit's id; of a score, its uuid."""
    peopleid: int
    client_id: int
    action: str
    """"accepted" or "rejected"."""


def link(reply: Reply, *, path: str) -> str:
    """The address that gives this answer, on the page at `path` of the application."""
    facts = {
        "action": reply.action,
        "womid": reply.womid,
        "peopleid": reply.peopleid,
        "client_id": reply.client_id,
        "token": token(reply),
    }
    return f"{catalog().host}/{path.strip('/')}/?{urlencode(facts)}"


def token(reply: Reply) -> str:
    """The signature of an answer, with the time at which it was made."""
    return signing.dumps(_as_list(reply), salt=SALT)


def read(parameters: Mapping[str, Any], *, step: str) -> Reply:
    """The answer of a link's query, `request.GET` for example, to a question of this step.

    Raises BadReply when the token is missing, forged, older than `TASK_CATALOG["reply_valid_days"]`, for another step,
    or signs something else than the query says.
    """
    try:
        signed = signing.loads(
            str(parameters.get("token") or ""), salt=SALT, max_age=timedelta(days=catalog().reply_valid_days)
        )
    except signing.SignatureExpired:
        raise BadReply(
            f"This link is older than {catalog().reply_valid_days} days. Decide in the application instead."
        ) from None
    except signing.BadSignature:
        raise BadReply("This link was not sent by us, or was changed on its way. Use the one in the mail.") from None
    reply = _from_list(signed)
    if reply is None or reply.step != step:
        raise BadReply("This link is for another question. Use the one in the mail.")
    said = {"action": reply.action, "womid": reply.womid, "peopleid": reply.peopleid, "client_id": reply.client_id}
    for name, signed_value in said.items():
        if name in parameters and str(parameters[name]) != str(signed_value):
            raise BadReply(f"This link says another {name} than it was sent with. Use the one in the mail.")
    return reply


def _as_list(reply: Reply) -> list[Any]:
    return [reply.step, reply.womid, reply.peopleid, reply.client_id, reply.action]


def _from_list(signed: object) -> Reply | None:
    if not isinstance(signed, list) or len(signed) != 5 or signed[4] not in ACTIONS:
        return None
    return Reply(step=signed[0], womid=signed[1], peopleid=signed[2], client_id=signed[3], action=signed[4])
