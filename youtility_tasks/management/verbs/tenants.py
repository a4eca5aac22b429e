"""`tenants`: the clients whose work is kept apart."""

from __future__ import annotations

from argparse import Namespace
from typing import Any

from django.core.management.base import CommandParser

from youtility_tasks import tenants
from youtility_tasks.models import Job, Tenant

from . import arguments
from .answer import Answer, BadUsage, instant, table
from .scope import Scope

NAME = "tenants"
SCOPE = Scope.OPERATOR
HELP = "List the tenants, add one, or deactivate one."

_LONGEST_NAME = 200
"""Its column."""


def add_arguments(parser: CommandParser) -> None:
    parser.add_argument("act", nargs="?", choices=["list", "add", "deactivate"], default="list", help="default: list")
    parser.add_argument(
        "id", nargs="?", type=arguments.tenant_id, metavar="ID", help="add, deactivate: the client's id"
    )
    parser.add_argument(
        "name", nargs="?", type=arguments.words, metavar="NAME", help="add: what people call it, up to 200 characters"
    )
    parser.add_argument(
        "--weight", type=arguments.weight, metavar="N", help="add: its share beside others (default: 1)"
    )


def run(options: Namespace) -> Answer:
    given = (options.id is not None, options.name is not None)
    match options.act:
        case "add" if given == (True, True):
            if len(options.name) > _LONGEST_NAME:
                raise BadUsage(f"A tenant's name has up to {_LONGEST_NAME} characters; this has {len(options.name)}.")
            added = tenants.add(options.id, options.name, weight=options.weight or 1)
            return Answer({"tenant": _shown(added)}, [f"Tenant {added.pk} ({added.name}) is active."])
        case "deactivate" if given == (True, False) and options.weight is None:
            gone = tenants.deactivate(options.id)
            waiting = Job.objects.live().for_tenant(gone.pk).count()
            left = (
                f" {waiting} of its jobs wait or run; `cancel --tenant {gone.pk} --all` takes them off."
                if waiting
                else ""
            )
            return Answer(
                {"tenant": _shown(gone), "live_jobs": waiting},
                [f"Tenant {gone.pk} ({gone.name}) is no longer active.{left}"],
            )
        case "list" if given == (False, False) and options.weight is None:
            found = list(Tenant.objects.all())
            rows = [
                (each.pk, each.name, "yes" if each.is_active else "no", each.weight, each.created_at) for each in found
            ]
            page = table(
                ("id", "name", "active", "weight", "since"), rows, empty="No tenants yet: `tenants add ID NAME`."
            )
            return Answer({"tenants": [_shown(each) for each in found]}, [page])
    raise BadUsage("Right is: tenants, tenants add ID NAME [--weight N], or tenants deactivate ID.")


def _shown(tenant: Tenant) -> dict[str, Any]:
    return {
        "id": tenant.pk,
        "name": tenant.name,
        "is_active": tenant.is_active,
        "weight": tenant.weight,
        "created_at": instant(tenant.created_at),
    }
