"""What an adoption that was killed holds, given back before a move."""

from __future__ import annotations

from youtility_tasks import tenants
from youtility_tasks.models import Tenant

from . import claims, messages
from .broker import Broker


def give_back(broker: Broker) -> None:
    """Back to its list with it, unless it has its job: where it is held no worker of Celery's sees it, nor does a move."""
    for holding in broker.adopting():
        for raw in broker.redis.lrange(holding, 0, -1):
            said = messages.read(raw)
            if any(_is_here(said.celery_id, tenant_id) for tenant_id in everybody()):
                broker.redis.lrem(holding, 1, raw)
            else:
                broker.give_back(holding, raw, said)


def everybody() -> list[int]:
    """Every tenant, the one of sweeps first; each is entered in turn, as the database keeps them apart."""
    with tenants.no_tenant():
        return [tenants.ALL, *Tenant.objects.order_by("pk").values_list("pk", flat=True)]


def _is_here(celery_id: str, tenant_id: int) -> bool:
    with tenants.whose(tenant_id):
        return claims.known(celery_id, tenant_id) == claims.POSTGRES
