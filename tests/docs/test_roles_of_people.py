"""What the README says of roles is so: its table, and its resolver on the company's own people."""

from __future__ import annotations

import importlib
import re
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from django.contrib.sessions.backends.signed_cookies import SessionStore
from django.http import HttpResponse
from django.test import RequestFactory

from task_catalog.facility.clients import create_client, ensure_levels
from task_catalog.facility.models import People
from task_catalog.facility.sentinels import ensure_sentinels
from youtility_tasks import controls, current_tenant, membership
from youtility_tasks.errors import NotAllowed
from youtility_tasks.middleware import TenantMiddleware
from youtility_tasks.models import Role

README = (Path(__file__).resolve().parents[2] / "README.md").read_text(encoding="utf-8")
SECTION = README.partition("### Who may do what")[2].partition("\n### ")[0]


def test_the_table_of_roles_is_what_the_acts_ask_for() -> None:
    said = {
        name: set(re.findall(r"`([a-z ]+)`", may)) for name, may in re.findall(r"^\| (.*?) \| (.*) \|$", SECTION, re.M)
    }
    needs: dict[Role | None, set[str]] = {}
    for act, role in membership.NEEDS.items():
        needs.setdefault(role, set()).add(act)
    for role in Role:
        assert said[f"the role `{role.value}`"] == needs.get(role, set()), role
    assert said[f"the permission `{membership.OPS}`"] == needs[None]


@pytest.fixture
def people(db: None) -> Any:
    """`people(client, isadmin)`: somebody of the company, signed in as the application's own user."""
    at = datetime(2025, 1, 1, tzinfo=UTC)
    ensure_sentinels()
    ensure_levels(at=at)

    def make(client_id: int | None, *, isadmin: bool) -> Any:
        code = f"P{client_id}{isadmin}"
        person: Any = People.objects.create(
            peoplecode=code, peoplename=code, client_id=client_id, isadmin=isadmin, cdtz=at, mdtz=at
        )
        person.is_authenticated = person.is_active = True
        person.get_username = lambda: code
        person.has_perm = lambda permission: False
        return person

    make.client = lambda name: create_client(name, name.upper(), at=at).pk  # type: ignore[attr-defined]
    return make


def test_the_resolver_of_the_readme_makes_the_companys_people_the_members(
    people: Any, settings: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (code,) = re.findall(r"```python\n(.*?)```", SECTION, re.S)
    module, setting = re.findall(r"# (\S+)\.py; YOUTILITY_TASKS = (\{.*\})", code)[0]
    (tmp_path / "people").mkdir()
    (tmp_path / f"{module}.py").write_text(code, encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    settings.YOUTILITY_TASKS = {**settings.YOUTILITY_TASKS, **eval(setting)}  # noqa: S307
    importlib.invalidate_caches()
    try:
        ours, theirs = people.client("Ours"), people.client("Theirs")
        head, guard, nobody = people(ours, isadmin=True), people(ours, isadmin=False), people(None, isadmin=True)

        assert membership.memberships_of(head) == {ours: Role.ADMIN}
        assert membership.memberships_of(guard) == {ours: Role.VIEWER}
        assert membership.memberships_of(nobody) == {}
        assert seen_by(head) == seen_by(guard) == ours and seen_by(nobody) is None
        with membership.acting(head):
            controls.limit(tenant=ours, running=5)
            with pytest.raises(NotAllowed, match=f"takes the role admin for tenant {theirs}"):
                controls.limit(tenant=theirs, running=5)
        with membership.acting(guard), pytest.raises(NotAllowed):
            controls.pause(tenant=ours)
    finally:
        for name in ("people", "people.roles"):
            sys.modules.pop(name, None)


def seen_by(person: Any) -> int | None:
    request: Any = RequestFactory().get("/")
    request.user, request.session = person, SessionStore()
    seen: list[int | None] = []
    TenantMiddleware(lambda request: seen.append(current_tenant()) or HttpResponse())(request)
    return seen[0]
