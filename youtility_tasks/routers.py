"""Where models are when tenants are spread over databases: on that of the tenant in whose block they are used."""

from __future__ import annotations

from typing import Any

from .conf import settings


class TenantRouter:
    """For DATABASE_ROUTERS, beside `YOUTILITY_TASKS["tenant_databases"]`; without that it has no opinion.

    A project whose shared tables live elsewhere puts a router of its own before it.
    """

    def db_for_read(self, model: Any, **hints: Any) -> str | None:
        return settings().database if settings().tenant_databases is not None else None

    db_for_write = db_for_read
