"""Somebody in every role before pages and the API."""

from __future__ import annotations

from django.contrib.auth.models import Permission, User

from youtility_tasks import members
from youtility_tasks.models import Role

ACME, OTHER = 7, 8


def somebody(kind: str) -> User:
    """The person of this kind, made when asked for first: a role ("viewer", ...) in Acme, "other_admin", "nobody", "ops", "ops_viewer" (who
    has a role in Acme, too), "superuser"."""
    found = User.objects.filter(username=kind).first()
    if found is not None:
        return found
    if kind == "superuser":
        return User.objects.create_superuser(kind)
    user = User.objects.create_user(kind)
    if kind.startswith("ops"):
        user.user_permissions.add(Permission.objects.get(codename="ops"))
    if kind == "ops_viewer":
        members.grant(ACME, kind, "viewer")
    elif kind == "other_admin":
        members.grant(OTHER, kind, "admin")
    elif kind in Role.values:
        members.grant(ACME, kind, kind)
    return user
