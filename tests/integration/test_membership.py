"""Who may see or act for which tenant, and in which tenant a request runs."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from django.contrib.auth.models import AnonymousUser, Permission, User
from django.contrib.sessions.backends.signed_cookies import SessionStore
from django.db import IntegrityError, transaction
from django.http import HttpResponse, StreamingHttpResponse
from django.test import RequestFactory

from youtility_tasks import Task, audit, current_tenant, middleware, tenant
from youtility_tasks.errors import ConfigurationError, NotAllowed
from youtility_tasks.membership import is_ops, memberships_of, require, role_in
from youtility_tasks.middleware import TenantMiddleware, choose
from youtility_tasks.models import Job, Role, Tenant, TenantMembership
from youtility_tasks.tenants import no_tenant


@pytest.fixture
def guard(db: None) -> User:
    return User.objects.create_user("guard")


def join(user: User, tenant_id: int, role: Role = Role.VIEWER) -> None:
    TenantMembership.objects.create(user=user, tenant_id=tenant_id, role=role)


def request_of(user: object) -> Any:
    request: Any = RequestFactory().get("/")
    request.user, request.session = user, SessionStore()
    return request


def tenant_in_view(request: Any) -> int | None:
    seen = []

    def view(request: Any) -> HttpResponse:
        seen.append(current_tenant())
        return HttpResponse()

    TenantMiddleware(view)(request)
    assert current_tenant() is None
    return seen[0]


# -- roles


@pytest.mark.parametrize("resolver", [None, "youtility_tasks.standalone.people.memberships_of"])
def test_a_user_has_the_roles_of_the_table_for_active_tenants(
    guard: User, acme: int, other_tenant: int, settings: Any, resolver: str | None
) -> None:
    settings.YOUTILITY_TASKS = {**settings.YOUTILITY_TASKS, "membership_resolver": resolver}
    join(guard, acme, Role.OPERATOR)
    join(guard, other_tenant)
    assert memberships_of(guard) == {acme: Role.OPERATOR, other_tenant: Role.VIEWER}

    Tenant.objects.filter(pk=other_tenant).update(is_active=False)

    assert memberships_of(guard) == {acme: Role.OPERATOR}
    assert role_in(guard, other_tenant) is None


def test_nobody_is_closed_out_by_default(guard: User, acme: int) -> None:
    join(guard, acme, Role.ADMIN)
    guard.is_active = False

    assert memberships_of(guard) == memberships_of(AnonymousUser()) == memberships_of(None) == {}


@pytest.mark.parametrize("has", list(Role))
@pytest.mark.parametrize("needs", list(Role))
def test_a_role_may_what_the_ones_before_it_may(guard: User, acme: int, has: Role, needs: Role) -> None:
    join(guard, acme, has)
    ranks = list(Role)

    if ranks.index(has) >= ranks.index(needs):
        assert require(guard, acme, needs) is has
    else:
        with pytest.raises(NotAllowed, match=f"role {needs.value} for tenant {acme}"):
            require(guard, acme, needs)


def test_a_refusal_does_not_tell_whether_the_tenant_exists(guard: User, acme: int) -> None:
    said = []
    for tenant_id in (acme, 999):
        with pytest.raises(NotAllowed) as refused:
            require(guard, tenant_id, Role.VIEWER)
        said.append(str(refused.value).replace(str(tenant_id), "N"))

    assert said[0] == said[1]


def test_ops_is_a_permission(guard: User) -> None:
    assert not is_ops(guard)
    guard.user_permissions.add(Permission.objects.get(codename="ops", content_type__app_label="youtility_tasks"))

    assert is_ops(User.objects.get(pk=guard.pk))
    assert not is_ops(AnonymousUser())


def test_one_role_for_each_tenant(guard: User, acme: int) -> None:
    join(guard, acme)
    with pytest.raises(IntegrityError), transaction.atomic():
        join(guard, acme, Role.ADMIN)
    with pytest.raises(IntegrityError), transaction.atomic():
        TenantMembership.objects.update(role="emperor")


# -- the application's own models


def by_name(user: Any) -> dict[int, str]:
    return {7: "operator"} if user.username == "guard" else {}


def wrong(user: Any) -> Any:
    return {7: "emperor"}


def nothing(user: Any) -> Any:
    return None


not_a_function = 7


def test_the_applications_people_can_be_the_memberships(settings: Any, guard: User, acme: int) -> None:
    settings.YOUTILITY_TASKS = {**settings.YOUTILITY_TASKS, "membership_resolver": f"{__name__}.by_name"}

    assert memberships_of(guard) == {acme: Role.OPERATOR}
    assert memberships_of(User(username="else")) == {}


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("wrong", "Roles: viewer, operator, admin"),
        ("nothing", "right is a dict such as"),
        ("not_a_function", "no function of a user"),
        ("missing", "missing"),
    ],
)
def test_a_resolver_that_cannot_work_says_what_is_right(
    settings: Any, guard: User, acme: int, name: str, text: str
) -> None:
    settings.YOUTILITY_TASKS = {**settings.YOUTILITY_TASKS, "membership_resolver": f"{__name__}.{name}"}

    with pytest.raises(ConfigurationError, match=text):
        memberships_of(guard)


# -- requests


def test_a_request_runs_in_the_tenant_of_who_sent_it(guard: User, acme: int, other_tenant: int) -> None:
    assert tenant_in_view(request_of(AnonymousUser())) is None
    assert tenant_in_view(request_of(guard)) is None

    join(guard, acme)

    assert tenant_in_view(request_of(guard)) == acme


def test_who_belongs_to_several_chooses_one_of_them(guard: User, acme: int, other_tenant: int) -> None:
    for each in (acme, other_tenant):
        join(guard, each)
    request = request_of(guard)
    assert tenant_in_view(request) is None

    choose(request, other_tenant)
    following = request_of(guard)
    following.session = request.session
    assert tenant_in_view(following) == other_tenant

    TenantMembership.objects.filter(tenant_id=other_tenant).delete()
    Tenant.objects.create(pk=9, name="Third")
    join(guard, 9)
    later = request_of(guard)
    later.session = request.session
    assert tenant_in_view(later) is None
    with pytest.raises(NotAllowed):
        choose(later, other_tenant)


def test_a_request_does_not_inherit_what_the_thread_was_in(guard: User, acme: int) -> None:
    seen = []
    with tenant(acme):
        TenantMiddleware(lambda request: seen.append(current_tenant()) or HttpResponse())(request_of(guard))

    assert seen == [None]


@pytest.mark.django_db(transaction=True)
def test_an_async_view_runs_in_it_too(acme: int) -> None:
    guard = User.objects.create_user("guard")
    join(guard, acme)
    seen = []

    async def view(request: Any) -> HttpResponse:
        await asyncio.sleep(0)
        seen.append(current_tenant())
        return HttpResponse()

    async def serve() -> None:
        await TenantMiddleware(view)(request_of(guard))

    asyncio.run(serve())

    assert seen == [acme]


def rows_of_whoever() -> Iterator[str]:
    for _ in range(2):
        with no_tenant():  # what the body enters itself stays its own
            pass
        yield f"{current_tenant()} {audit.actor()};"


def test_what_is_made_while_a_response_is_sent_is_made_for_its_tenant_and_person(guard: User, acme: int) -> None:
    join(guard, acme)
    answer = TenantMiddleware(lambda request: StreamingHttpResponse(rows_of_whoever()))(request_of(guard))

    assert current_tenant() is None
    assert b"".join(answer.streaming_content) == b"7 guard;7 guard;"
    assert current_tenant() is None


@pytest.mark.django_db(transaction=True)
def test_an_async_response_too(acme: int) -> None:
    guard = User.objects.create_user("guard")
    join(guard, acme)

    async def body() -> AsyncIterator[str]:
        for each in rows_of_whoever():
            await asyncio.sleep(0)
            yield each

    async def view(request: Any) -> HttpResponse:
        return StreamingHttpResponse(body())

    async def serve() -> bytes:
        answer = await TenantMiddleware(view)(request_of(guard))
        return b"".join([chunk async for chunk in answer.streaming_content])

    assert asyncio.run(serve()) == b"7 guard;7 guard;"


@pytest.mark.parametrize("check", [test_what_is_made_while_a_response_is_sent_is_made_for_its_tenant_and_person])
def test_without_the_context_it_would_be_made_for_nobody(
    check: Any, guard: User, acme: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(middleware, "_streamed_here", lambda response: response)
    with pytest.raises(AssertionError):
        check(guard, acme)


# -- rows that must stay


def test_a_tenant_with_jobs_cannot_be_deleted(add_task: Task, acme: int) -> None:
    with tenant(acme):
        add_task.enqueue()

    with pytest.raises(IntegrityError, match=f"Tenant {acme} has jobs; deactivate it"), transaction.atomic():
        Tenant.objects.filter(pk=acme).delete()

    Job.objects.filter(tenant_id=acme).delete()
    Tenant.objects.filter(pk=acme).delete()
