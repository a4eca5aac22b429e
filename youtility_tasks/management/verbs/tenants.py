"""`tenants`: the clients whose work is kept apart."""

from __future__ import annotations

from argparse import Namespace
from typing import Any

from django.core.management.base import CommandParser

from youtility_tasks import suspension, tenants
from youtility_tasks.models import Tenant
from youtility_tasks.schedules import holidays

from . import arguments
from .answer import Answer, BadUsage, instant, table
from .scope import Scope

NAME = "tenants"
SCOPE = Scope.OPERATOR
HELP = "List the tenants, add one, deactivate one, or say which zone its schedules keep."

_LONGEST_NAME = 200
"""Its column."""


def add_arguments(parser: CommandParser) -> None:
    parser.add_argument(
        "act", nargs="?", choices=["list", "add", "deactivate", "zone"], default="list", help="default: list"
    )
    parser.add_argument(
        "id", nargs="?", type=arguments.tenant_id, metavar="ID", help="add, deactivate, zone: the client's id"
    )
    parser.add_argument(
        "name",
        nargs="?",
        type=arguments.words,
        metavar="NAME",
        help="add: what people call it, up to 200 characters; zone: an IANA name",
    )
    parser.add_argument(
        "--weight", type=arguments.weight, metavar="N", help="add: its share beside others (default: 1)"
    )
    parser.add_argument(
        "--reason", type=arguments.words, metavar="TEXT", help="deactivate: why; its cancelled jobs will say so"
    )


def run(options: Namespace) -> Answer:
    given = (options.id is not None, options.name is not None)
    match options.act:
        case "add" if given == (True, True) and options.reason is None:
            if len(options.name) > _LONGEST_NAME:
                raise BadUsage(f"A tenant's name has up to {_LONGEST_NAME} characters; this has {len(options.name)}.")
            added = tenants.add(options.id, options.name, weight=options.weight or 1)
            return Answer({"tenant": _shown(added)}, [f"Tenant {added.pk} ({added.name}) is active."])
        case "deactivate" if given == (True, False) and options.weight is None:
            stopped = suspension.suspend(options.id, options.reason or "")
            return Answer(
                {"tenant": _shown(stopped.tenant), "cancelled": stopped.cancelled, "aborting": stopped.aborting},
                [
                    f"Tenant {stopped.tenant.pk} ({stopped.tenant.name}) is no longer active. "
                    f"Of its jobs {stopped.cancelled} were cancelled, and {stopped.aborting} that run were asked to end."
                ],
            )
        case "zone" if given == (True, True) and options.weight is None:
            changed = holidays.set_zone(options.id, options.name, reason=options.reason or "")
            return Answer(
                {"tenant": _shown(changed)},
                [f"Schedules of tenant {changed.pk} without a zone of their own keep {changed.zone}."],
            )
        case "list" if given == (False, False) and options.weight is None and options.reason is None:
            found = list(Tenant.objects.all())
            rows = [
                (each.pk, each.name, "yes" if each.is_active else "no", each.weight, each.zone, each.created_at)
                for each in found
            ]
            page = table(
                ("id", "name", "active", "weight", "zone", "since"),
                rows,
                empty="No tenants yet: `tenants add ID NAME`.",
            )
            return Answer({"tenants": [_shown(each) for each in found]}, [page])
    raise BadUsage(
        "Right is: tenants, tenants add ID NAME [--weight N], tenants zone ID ZONE, or tenants deactivate ID [--reason TEXT]."
    )


def _shown(tenant: Tenant) -> dict[str, Any]:
    return {
        "id": tenant.pk,
        "name": tenant.name,
        "is_active": tenant.is_active,
        "weight": tenant.weight,
        "zone": tenant.zone,
        "created_at": instant(tenant.created_at),
        "deactivated_at": instant(tenant.deactivated_at),
        "deactivated_reason": tenant.deactivated_reason,
    }
