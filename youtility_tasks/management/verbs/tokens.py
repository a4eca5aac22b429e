"""`tokens`: who may call the HTTP API without a session."""

from __future__ import annotations

import contextlib
from argparse import Namespace
from collections.abc import Iterator

from django.core.management.base import CommandParser

from youtility_tasks import tenants, tokens
from youtility_tasks.conf import settings
from youtility_tasks.documents import people as documents
from youtility_tasks.models import ApiToken, Role
from youtility_tasks.tenancy import roles

from . import arguments
from .answer import Answer, BadUsage, table
from .scope import Scope

NAME = "tokens"
SCOPE = Scope.ITS_OWN
HELP = "List the tokens of the HTTP API, create or revoke one. A new one is shown once: only its digest is stored."
EXAMPLES = (
    "tokens",
    "tokens create ann --name ci --tenant 7 --role operator --days 90",
    "tokens revoke 3",
)

_RIGHT = (
    "Right is: tokens [--tenant N], tokens create USER --name NAME [--tenant N] [--role ROLE] [--days N] [--reason TEXT], or tokens "
    "revoke ID [--tenant N] [--reason TEXT]."
)
_TAKES = {
    "list": (frozenset[str](), frozenset[str]()),
    "create": (frozenset({"target", "name"}), frozenset({"role", "days", "reason"})),
    "revoke": (frozenset({"target"}), frozenset({"reason"})),
}
"""Act -> the words that it needs, and those that it takes besides."""


def add_arguments(parser: CommandParser) -> None:
    parser.add_argument("act", nargs="?", choices=sorted(_TAKES), default="list", help="default: list")
    parser.add_argument(
        "target", nargs="?", type=arguments.words, metavar="USER|ID", help="whose it will be; revoke: its id"
    )
    arguments.add_tenant(
        parser, "of this tenant alone (default: an operator's view of all; create: all that the user may)"
    )
    parser.add_argument("--name", type=arguments.words, metavar="NAME", help="create: what it is for")
    parser.add_argument("--role", choices=Role.values, help="create: no more than this, whatever the user may")
    parser.add_argument(
        "--days", type=arguments.days, metavar="N", help=f"create: good for so long (default: {tokens.USUAL_DAYS})"
    )
    parser.add_argument("--reason", type=arguments.words, metavar="TEXT", help="kept in the audit log")


def run(options: Namespace) -> Answer:
    given = frozenset(
        each for each in ("target", "name", "role", "days", "reason") if getattr(options, each) is not None
    )
    needed, more = _TAKES[options.act]
    if not needed <= given <= needed | more:
        raise BadUsage(_RIGHT)
    why = options.reason or ""
    match options.act:
        case "create":
            # Who somebody is, the application's tables say: an operator may not read them, the web may.
            user = tokens.user_named(options.target)
            with _whose(options):
                made, text = tokens.create(
                    user,
                    options.name,
                    tenant_id=options.tenant,
                    role=options.role,
                    days=options.days if options.days is not None else tokens.USUAL_DAYS,
                    reason=why,
                )
            said = f"{text}\n\nThis is the only time that it is shown. It is {made}, good until {made.expires_at:%Y-%m-%d}."
            return Answer({"token": {**documents.token(made), "text": text}}, [said])
        case "revoke":
            if not options.target.isascii() or not options.target.isdecimal() or len(options.target) > 18:
                raise BadUsage(f"{options.target!r} is no token's id. {_RIGHT}")
            with _whose(options):
                gone = tokens.revoke(int(options.target), why)
            return Answer({"token": documents.token(gone)}, [f"The {gone} opens nothing any more."])
    with _whose(options):
        return _listed(tokens.listing())


def _listed(found: list[ApiToken]) -> Answer:
    rows = [
        (
            each.pk, each.name, each.username, each.tenant_id or "all of theirs", each.role or "theirs", each.expires_at,
            each.last_used_at, f"revoked by {each.revoked_by}" if each.revoked_at else "",
        )
        for each in found
    ]  # fmt: skip
    headings = ("id", "name", "user", "tenant", "role", "good until", "last used", "")
    page = table(headings, rows, empty="No tokens yet: `tokens create USER --name NAME --tenant N`.")
    return Answer({"tokens": [documents.token(each) for each in found]}, [page])


@contextlib.contextmanager
def _whose(options: Namespace) -> Iterator[None]:
    """In the tenant that is named; in none as an operator, where the setting `roles` keeps tenants apart."""
    if options.tenant is not None:
        with tenants.tenant(options.tenant):
            yield
    elif settings().roles is not None:
        with roles.acting("ops"):
            yield
    else:
        yield
