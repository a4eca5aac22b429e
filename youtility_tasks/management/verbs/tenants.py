"""`tenants`: the clients whose work is kept apart."""

from __future__ import annotations

from argparse import Namespace

from django.core.management.base import CommandParser

from youtility_tasks import members, roster, suspension
from youtility_tasks.documents import people as documents
from youtility_tasks.models import Role, Tenant
from youtility_tasks.schedules import holidays
from youtility_tasks.tenancy import roles

from . import arguments
from .answer import Answer, BadUsage, table
from .scope import Scope

NAME = "tenants"
SCOPE = Scope.OPERATOR
HELP = "List the tenants, add, rename, weigh or deactivate one; say who may do what for one, or which zone its schedules keep."
EXAMPLES = (
    "tenants",
    "tenants add 7 'Acme Towers' --reason 'signed'",
    "tenants grant 7 ann --role operator",
    "tenants deactivate 7 --reason 'contract ended'",
)

_LONGEST_NAME = 200
"""Its column."""
_ACTS = ("list", "add", "rename", "weigh", "deactivate", "zone", "members", "grant", "revoke")
_RIGHT = (
    "Right is: tenants, tenants add ID NAME [--weight N], tenants rename ID NAME, tenants weigh ID --weight N, tenants "
    "zone ID ZONE, tenants deactivate ID, tenants members ID, tenants grant ID USER --role ROLE, or tenants revoke ID USER; each act takes [--reason TEXT]."
)


def add_arguments(parser: CommandParser) -> None:
    parser.add_argument("act", nargs="?", choices=_ACTS, default="list", help="default: list")
    parser.add_argument("id", nargs="?", type=arguments.tenant_id, metavar="ID", help="the client's id")
    parser.add_argument(
        "name",
        nargs="?",
        type=arguments.words,
        metavar="NAME",
        help="add, rename: what people call it, up to 200 characters; zone: an IANA name; grant, revoke: the name somebody signs in with",
    )
    parser.add_argument(
        "--weight", type=arguments.weight, metavar="N", help="add, weigh: its share beside others (default: 1)"
    )
    parser.add_argument("--role", choices=Role.values, help="grant: what they may do for it")
    parser.add_argument(
        "--reason",
        type=arguments.words,
        metavar="TEXT",
        help="why; kept in the audit log, and in the history of the jobs that deactivate cancels",
    )


def run(options: Namespace) -> Answer:
    given = frozenset(each for each in ("id", "name", "weight", "role", "reason") if getattr(options, each) is not None)
    needed, more = _TAKES[options.act]
    if not needed <= given <= needed | more:
        raise BadUsage(_RIGHT)
    if "name" in given and len(options.name) > _LONGEST_NAME:
        raise BadUsage(f"A tenant's name has up to {_LONGEST_NAME} characters; this has {len(options.name)}.")
    why = options.reason or ""
    match options.act:
        case "add":
            added = roster.add(options.id, options.name, weight=options.weight or 1, reason=why)
            return Answer({"tenant": documents.tenant(added)}, [f"Tenant {added.pk} ({added.name}) is active."])
        case "rename":
            return _changed(roster.rename(options.id, options.name, why))
        case "weigh":
            return _changed(roster.weigh(options.id, options.weight, why))
        case "zone":
            changed = holidays.set_zone(options.id, options.name, reason=why)
            return Answer(
                {"tenant": documents.tenant(changed)},
                [f"Schedules of tenant {changed.pk} without a zone of their own keep {changed.zone}."],
            )
        case "deactivate":
            return _deactivated(suspension.suspend(options.id, why))
        case "list":
            return _listed()
    # Who somebody is, the application's tables say: an operator may not read them, the web may.
    with roles.acting("web"):
        if options.act == "grant":
            members.grant(options.id, options.name, options.role, why)
        elif options.act == "revoke":
            members.revoke(options.id, options.name, why)
        return _members(options.id)


_TAKES = {
    "list": (frozenset[str](), frozenset[str]()),
    "add": (frozenset({"id", "name"}), frozenset({"weight", "reason"})),
    "rename": (frozenset({"id", "name"}), frozenset({"reason"})),
    "weigh": (frozenset({"id", "weight"}), frozenset({"reason"})),
    "zone": (frozenset({"id", "name"}), frozenset({"reason"})),
    "deactivate": (frozenset({"id"}), frozenset({"reason"})),
    "members": (frozenset({"id"}), frozenset[str]()),
    "grant": (frozenset({"id", "name", "role"}), frozenset({"reason"})),
    "revoke": (frozenset({"id", "name"}), frozenset({"reason"})),
}
"""Act -> the words that it needs, and those that it takes besides."""


def _changed(tenant: Tenant) -> Answer:
    return Answer(
        {"tenant": documents.tenant(tenant)},
        [f"Tenant {tenant.pk} is called {tenant.name}, its weight is {tenant.weight}."],
    )


def _deactivated(stopped: suspension.Suspended) -> Answer:
    return Answer(
        {"tenant": documents.tenant(stopped.tenant), "cancelled": stopped.cancelled, "aborting": stopped.aborting},
        [
            f"Tenant {stopped.tenant.pk} ({stopped.tenant.name}) is no longer active. "
            f"Of its jobs {stopped.cancelled} were cancelled, and {stopped.aborting} that run were asked to end."
        ],
    )


def _listed() -> Answer:
    found = list(Tenant.objects.all())
    rows = [
        (each.pk, each.name, "yes" if each.is_active else "no", each.weight, each.zone, each.created_at)
        for each in found
    ]
    page = table(
        ("id", "name", "active", "weight", "zone", "since"), rows, empty="No tenants yet: `tenants add ID NAME`."
    )
    return Answer({"tenants": [documents.tenant(each) for each in found]}, [page])


def _members(tenant_id: int) -> Answer:
    found = members.listing(tenant_id)
    page = table(("user", "role"), found, empty=f"Nobody yet: `tenants grant {tenant_id} USER --role ROLE`.")
    return Answer({"members": [{"user": user, "role": role} for user, role in found]}, [page])
