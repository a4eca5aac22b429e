"""The bundled project's pages under real roles: who logs in and chooses a tenant sees exactly that tenant's rows."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.contrib.contenttypes.models import ContentType
from django.test import Client

from tests.tenancy.ground import A, B, House
from youtility_tasks.standalone import settings as bundled
from youtility_tasks.tenancy import roles

pytestmark = pytest.mark.usefixtures("django_db_setup")

TABLES = {
    "job": ("procrastinate_jobs", "tenant_id"),
    "taskexecutionhistory": ("youtility_tasks_history", "tenant_id"),
    "taskeffect": ("youtility_tasks_taskeffect", "tenant_id"),
    "queuecontrol": ("youtility_tasks_queuecontrol", "tenant_id"),
    "taskauditlog": ("youtility_tasks_taskauditlog", "tenant_id"),
    "tenant": ("youtility_tasks_tenant", "id"),
}


@pytest.fixture
def web(house: House, django_db_blocker: Any) -> Iterator[House]:
    """This process is the web of a house where each of two tenants has a limit and an act on record."""
    for who in (A, B):
        house.rows(
            "INSERT INTO youtility_tasks_queuecontrol (queue_name, task_name, tenant_id, max_running, burst, is_paused, reason,"
            " changed_by, paused_by) VALUES ('email', '', %s, 2, 1, false, '', '', '')",
            who,
        )
        house.rows(
            "INSERT INTO youtility_tasks_taskauditlog (actor, act, target, tenant_id, reason) VALUES ('x', 'limit', 'y', %s, '')",
            who,
        )
    ContentType.objects.clear_cache()  # ids of the database of other tests
    with django_db_blocker.unblock(), house.settled():
        roles.act_as("web")
        yield house
    ContentType.objects.clear_cache()


@pytest.fixture
def chief(web: House) -> Client:
    """A superuser who belongs to no tenant, logged in by name and password."""
    User.objects.create_superuser("chief", password="opens")
    browser = Client()
    assert browser.post("/admin/login/?next=/admin/", {"username": "chief", "password": "opens"}).status_code == 302
    return browser


def ids_on(browser: Client, model: str) -> set[int]:
    page = browser.get(f"/admin/youtility_tasks/{model}/")
    assert page.status_code == 200
    return {int(pk) for pk in re.findall(rf"/admin/youtility_tasks/{model}/(\d+)/change/", page.content.decode())}


def ids_of(house: House, model: str, who: int) -> set[int]:
    table, column = TABLES[model]
    return {pk for (pk,) in house.rows(f"SELECT id FROM {table} WHERE {column} = %s", who)}


def test_a_superuser_sees_the_rows_of_the_tenant_that_he_chooses_and_no_others(web: House, chief: Client) -> None:
    assert "Choose a tenant" in chief.get("/admin/").content.decode()
    assert [ids_on(chief, model) for model in TABLES] == [set()] * len(TABLES), "nobody's, as long as none is chosen"
    choices = chief.get("/admin/tenant/").content.decode()
    assert "7 Acme" in choices and "8 Bolt" in choices

    for who in (A, B):
        assert chief.post("/admin/tenant/", {"tenant": who}).status_code == 302
        assert f"Tenant {who}" in chief.get("/admin/").content.decode()
        for model in TABLES:
            found = ids_on(chief, model)
            assert found == ids_of(web, model, who) != set(), f"{model} of {who}"
    chief.post("/admin/tenant/", {"tenant": ""})
    assert ids_on(chief, "job") == set()


@pytest.mark.parametrize("given", ["9", "x", "-1", "99999999999"])
def test_what_is_no_tenant_of_his_is_refused_and_what_was_chosen_stays(chief: Client, given: str) -> None:
    chief.post("/admin/tenant/", {"tenant": A})

    answer = chief.post("/admin/tenant/", {"tenant": given}, follow=True)

    assert len(list(answer.context["messages"])) == 1
    assert "Tenant 7" in chief.get("/admin/").content.decode()


def test_whoever_belongs_to_one_tenant_works_for_it_and_may_choose_no_other(web: House) -> None:
    ann = User.objects.create_user("ann", password="opens", is_staff=True, is_superuser=False)
    web.rows(
        "INSERT INTO youtility_tasks_tenantmembership (tenant_id, user_id, role, created_at) VALUES (%s, %s, 'viewer', now())",
        B,
        ann.pk,
    )
    browser = Client()
    browser.force_login(ann)

    assert "Tenant 8" in browser.get("/admin/").content.decode()
    assert "Acme" not in browser.get("/admin/tenant/").content.decode()
    refused = browser.post("/admin/tenant/", {"tenant": A}, follow=True)
    assert "an admin of the tenant gives it" in " ".join(map(str, refused.context["messages"]))
    assert "Tenant 8" in browser.get("/admin/").content.decode()


def test_nobody_who_is_not_staff_gets_to_choose(web: House) -> None:
    answer = Client().get("/admin/tenant/")
    assert (answer.status_code, answer.headers["Location"]) == (302, "/admin/login/?next=/admin/tenant/")


def test_a_pause_that_a_chosen_tenant_sets_in_the_admin_is_its_own(web: House, chief: Client) -> None:
    chief.post("/admin/tenant/", {"tenant": A})
    given = {
        "queue_name": "", "task_name": "", "tenant_id": "", "max_running": "", "rate_per_s": "", "burst": "1.0",
        "is_paused": "on", "paused_until_0": "", "paused_until_1": "", "because": "they moved",
    }  # fmt: skip
    answer = chief.post("/admin/youtility_tasks/queuecontrol/add/", given, follow=True)
    assert "Nothing is named" not in answer.content.decode(), list(answer.context["messages"])

    assert web.rows(
        "SELECT tenant_id, queue_name, paused_by, reason FROM youtility_tasks_queuecontrol WHERE is_paused"
    ) == [(A, "", "chief", "they moved")]
    assert web.rows("SELECT actor, act, tenant_id, reason FROM youtility_tasks_taskauditlog WHERE actor = 'chief'") == [
        ("chief", "pause", A, "they moved")
    ]


def test_the_page_of_a_tenant_changes_its_name_and_leaves_the_rest_to_operators(web: House, chief: Client) -> None:
    chief.post("/admin/tenant/", {"tenant": A})
    page, words = f"/admin/youtility_tasks/tenant/{A}/change/", {"name": "Acme", "weight": "1", "is_active": "on"}

    for change in ({"weight": "5"}, {"is_active": ""}):
        answer = chief.post(page, {**words, **change, "because": "more"}, follow=True)
        assert "are for operators to set" in " ".join(map(str, answer.context["messages"]))
    chief.post(page, {**words, "name": "Neu", "because": "merger"})

    assert web.rows("SELECT name, weight, is_active FROM youtility_tasks_tenant WHERE id = 7") == [("Neu", 1, True)]
    assert web.rows(
        "SELECT act, reason FROM youtility_tasks_taskauditlog WHERE tenant_id = 7 AND actor = 'chief' ORDER BY id"
    ) == [("refused", ""), ("refused", ""), ("rename tenant", "merger")]


def test_a_role_that_is_given_in_the_admin_is_of_the_chosen_tenant(web: House, chief: Client) -> None:
    bea = User.objects.create_user("bea")
    chief.post("/admin/tenant/", {"tenant": A})
    add = "/admin/youtility_tasks/tenantmembership/add/"

    chief.post(add, {"tenant": B, "user": bea.pk, "role": "admin", "because": "so"})
    chief.post(add, {"tenant": A, "user": bea.pk, "role": "operator", "because": "new here"})

    assert web.rows("SELECT tenant_id, role FROM youtility_tasks_tenantmembership WHERE user_id = %s", bea.pk) == [
        (A, "operator")
    ]
    page = chief.get("/admin/youtility_tasks/tenantmembership/").content.decode()
    assert "bea" in page and "Bolt" not in page


def test_without_the_middleware_no_tenants_rows_are_to_be_seen(web: House, chief: Client, settings: Any) -> None:
    """What the bundled settings had forgotten."""
    chief.post("/admin/tenant/", {"tenant": A})
    settings.MIDDLEWARE = [each for each in bundled.MIDDLEWARE if "TenantMiddleware" not in each]
    assert len(settings.MIDDLEWARE) == len(bundled.MIDDLEWARE) - 1

    browser = Client()
    browser.cookies = chief.cookies
    assert ids_on(browser, "job") == set()
