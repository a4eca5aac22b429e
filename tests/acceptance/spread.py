"""A program of an application whose tenants are on two databases: 7 in the north, all others on the main one."""

from __future__ import annotations

import json
import sys

import django

django.setup()

from django.db import transaction  # noqa: E402

from tests.acceptance.app.tasks import adds, tells_tenant  # noqa: E402
from youtility_tasks import roster, tenant  # noqa: E402
from youtility_tasks.errors import WrongTransaction  # noqa: E402
from youtility_tasks.models import Job  # noqa: E402

for tenant_id in (7, 8):
    roster.add(tenant_id, f"Tenant {tenant_id}")

told: dict[str, object] = {}
with tenant(7):
    told["north"] = [int(tells_tenant.enqueue().id)]
    told["seen in the north"] = Job.objects.db
with tenant(8):
    told["main"] = [int(tells_tenant.enqueue().id)]

with tenant(7), transaction.atomic(using="north"):
    tells_tenant.enqueue()
    transaction.set_rollback(True, using="north")

try:
    with transaction.atomic(), tenant(7):  # Django's default: the main one
        tells_tenant.enqueue()
except WrongTransaction as error:
    told["refused"] = str(error)

told["outside"] = int(adds.enqueue(a=1, b=1).id)
sys.stdout.write(json.dumps(told))
