"""Who may work for which tenant in the bundled project."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from youtility_tasks.conf import settings
from youtility_tasks.membership import from_table
from youtility_tasks.models import Role, Tenant


def memberships_of(user: Any) -> Mapping[int, str]:
    """A superuser may choose any tenant where roles keep them apart, and sees all of them at once where nothing does."""
    if user.is_superuser and settings().roles is not None:
        return dict.fromkeys(Tenant.objects.active().values_list("pk", flat=True), Role.ADMIN.value)
    return from_table(user)
