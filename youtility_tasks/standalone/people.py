"""Who may work for which tenant in the bundled project."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import Any

from django.contrib.auth import get_user_model

from youtility_tasks.conf import settings
from youtility_tasks.membership import from_table
from youtility_tasks.models import Role, Tenant


def memberships_of(user: Any) -> Mapping[int, str]:
    """A superuser may choose any tenant where roles keep them apart, and sees all of them at once where nothing does."""
    if user.is_superuser and settings().roles is not None:
        return dict.fromkeys(Tenant.objects.active().values_list("pk", flat=True), Role.ADMIN.value)
    return from_table(user)


FIRST = "demo"


def first_person() -> tuple[str, str] | None:
    """Make the first superuser of a fresh project, with a password that nobody can guess: the two words to sign in with, or None if
    there is somebody already."""
    people = get_user_model()._default_manager
    if people.exists():
        return None
    password = secrets.token_urlsafe(9)
    people.create_superuser(FIRST, password=password)
    return FIRST, password
