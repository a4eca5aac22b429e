"""Views that people keep: their own alone, in one tenant, and few."""

from __future__ import annotations

from typing import Any

import pytest

from tests.api.speaking import ACME, OTHER
from youtility_tasks import saved_views
from youtility_tasks.errors import Refused
from youtility_tasks.models import SavedView

pytestmark = pytest.mark.django_db


def keep(browser: Any, name: str, query: str) -> Any:
    return browser.post("/tasks/views/save/", {"name": name, "query": query}, follow=True)


def test_a_view_is_kept_shown_to_its_owner_alone_and_taken_away(visitor, acme: int, other_tenant: int) -> None:
    mine, yours = visitor("viewer"), visitor("operator")

    kept = keep(mine, "  Dead <b>mails</b> ", "status=failed&queue=email&part=rail&tenant=7").content.decode()

    row = SavedView.objects.get()
    assert (row.tenant_id, row.name, row.query) == (ACME, "Dead <b>mails</b>", "status=failed&queue=email")
    assert "Dead &lt;b&gt;mails&lt;/b&gt;" in kept and 'href="/tasks/jobs/?status=failed&amp;queue=email"' in kept
    assert "mails" not in yours.get("/tasks/jobs/").content.decode()
    yours.post("/tasks/views/forget/", {"view": row.pk})
    assert SavedView.objects.count() == 1
    mine.post("/tasks/views/forget/", {"view": row.pk})
    assert SavedView.objects.count() == 0


def test_one_of_the_same_name_is_replaced_and_what_cannot_be_meant_is_not_kept(visitor, acme: int) -> None:
    browser = visitor("viewer")
    keep(browser, "mine", "status=failed")
    keep(browser, "mine", "status=todo")

    assert keep(browser, "wrong", "status=what").status_code == 422
    assert keep(browser, " ", "status=todo").status_code in (409, 422)
    assert keep(browser, "x" * 61, "status=todo").status_code in (409, 422)
    assert list(SavedView.objects.values_list("name", "query")) == [("mine", "status=todo")]
    assert browser.get("/tasks/views/save/").status_code == 405
    assert visitor("nobody").post("/tasks/views/save/", {"name": "x", "query": ""}).status_code == 403
    assert visitor("anonymous").post("/tasks/views/save/", {"name": "x", "query": ""}).status_code == 302


def test_a_view_belongs_to_one_place_and_one_person_keeps_few(
    person, acme: int, other_tenant: int, monkeypatch
) -> None:
    monkeypatch.setattr(saved_views, "MOST", 2)
    user = person("ops")
    for name in ("a", "b", "a"):
        saved_views.save(user, acme, name, "")
    saved_views.save(user, None, "c", "")

    with pytest.raises(Refused, match="take one away first"):
        saved_views.save(user, acme, "d", "")
    assert [each.name for each in saved_views.mine(user, acme)] == ["a", "b"]
    assert [each.name for each in saved_views.mine(user, None)] == ["c"]
    assert saved_views.mine(user, OTHER) == []
