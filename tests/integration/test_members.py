"""Roles are given, changed and taken away, and each time it is entered who did so and why."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import User

from youtility_tasks import audit, members
from youtility_tasks.errors import Refused
from youtility_tasks.models import Role, TaskAuditLog


def test_roles_are_given_changed_and_taken_away(acme) -> None:
    bea = User.objects.create_user("bea").pk
    with audit.acting("ada"):
        members.grant(acme, "bea", "viewer", "new here")
        members.grant(acme, "bea", "admin")
        assert members.listing(acme) == [("bea", Role.ADMIN)]
        members.revoke(acme, "bea", "has left")

    assert members.listing(acme) == []
    assert [(e.actor, e.act, e.target, e.reason, e.before, e.after) for e in TaskAuditLog.objects.order_by("pk")] == [
        ("ada", "grant role", "bea in tenant 7", "new here", None, {"user_id": bea, "role": "viewer"}),
        (
            "ada",
            "grant role",
            "bea in tenant 7",
            "",
            {"user_id": bea, "role": "viewer"},
            {"user_id": bea, "role": "admin"},
        ),
        ("ada", "revoke role", "bea in tenant 7", "has left", {"user_id": bea, "role": "admin"}, None),
    ]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ((7, "nobody", "viewer"), "No user is called 'nobody'"),
        ((7, "bea", "emperor"), "No role is called 'emperor'; right is viewer, operator or admin"),
        ((99, "bea", "viewer"), "No tenant has the id 99"),
    ],
)
def test_a_role_that_cannot_be_given_says_why(acme, words, told) -> None:
    User.objects.create_user("bea")
    with pytest.raises(Refused, match=told):
        members.grant(*words)
    with pytest.raises(Refused, match="'bea' has no role for tenant 7"):
        members.revoke(acme, "bea")
