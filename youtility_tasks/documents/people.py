"""Tenants, who may do what for them, their tokens, and what was done."""

from __future__ import annotations

from typing import Any

from youtility_tasks.models import ApiToken, TaskAuditLog, Tenant

from .plain import instant


def tenant(each: Tenant) -> dict[str, Any]:
    """One client."""
    return {
        "id": each.pk,
        "name": each.name,
        "is_active": each.is_active,
        "weight": each.weight,
        "zone": each.zone,
        "created_at": instant(each.created_at),
        "deactivated_at": instant(each.deactivated_at),
        "deactivated_reason": each.deactivated_reason,
    }


def token(each: ApiToken) -> dict[str, Any]:
    """One token, without what would open a door."""
    return {
        "id": each.pk,
        "name": each.name,
        "user": each.username,
        "tenant": each.tenant_id,
        "role": each.role or None,
        "created_at": instant(each.created_at),
        "created_by": each.created_by,
        "expires_at": instant(each.expires_at),
        "last_used_at": instant(each.last_used_at),
        "revoked_at": instant(each.revoked_at),
        "revoked_by": each.revoked_by or None,
    }


def act(each: TaskAuditLog) -> dict[str, Any]:
    """One act of the audit log."""
    return {
        "id": each.pk,
        "at": instant(each.at),
        "actor": each.actor,
        "act": each.act,
        "target": each.target,
        "tenant": each.tenant_id,
        "reason": each.reason,
        "before": each.before,
        "after": each.after,
    }
