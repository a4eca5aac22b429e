"""Tenants, and who may do what for them."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from youtility_tasks import members, membership, roster, suspension
from youtility_tasks.addresses import LARGEST_TENANT
from youtility_tasks.documents import people as documents
from youtility_tasks.models import Role, Tenant
from youtility_tasks.problems import Problem
from youtility_tasks.schedules import holidays
from youtility_tasks.visits import For

from . import words
from .endpoints import endpoint
from .words import Given, OfTenant, Why

_Name = Annotated[str, Field(min_length=1, max_length=200, pattern=r"\S")]
_Weight = Annotated[int, Field(ge=1, le=1_000)]


class TenantFacts(Given):
    id: int
    name: str
    is_active: bool
    weight: int
    zone: str
    created_at: str
    deactivated_at: str | None
    deactivated_reason: str


class Tenants(Given):
    tenants: list[TenantFacts]
    next: str | None


class TenantDocument(Given):
    tenant: TenantFacts


class Stopped(TenantDocument):
    cancelled: int
    aborting: int


class NewTenant(Why):
    id: Annotated[int, Field(ge=1, le=LARGEST_TENANT)]
    name: _Name
    weight: _Weight = 1


class Rename(Why):
    name: _Name | None = None
    zone: Annotated[str, Field(min_length=1, max_length=64)] | None = Field(None, description="An IANA name.")


class Weigh(Why):
    weight: _Weight


class Member(Given):
    user: str
    role: str


class Members(Given):
    members: list[Member]


class Grant(Why):
    user: Annotated[str, Field(min_length=1, max_length=254)]
    role: Role


class Revoke(Why):
    user: Annotated[str, Field(min_length=1, max_length=254)]


@endpoint("GET", "tenants/", query=words.Paged, gives=Tenants)
def list_tenants(query: words.Paged, place: Any) -> dict[str, Any]:
    """The tenant that the request works for; to an operator all of them, the latest id first, by pages."""
    rows = Tenant.objects.order_by("-pk")
    if place.tenant_id is not None:
        rows = rows.filter(pk=place.tenant_id)
    if query.before_id is not None:
        rows = rows.filter(pk__lt=query.before_id)
    page, following = words.page_of(list(rows[: query.limit + 1]), query.limit, lambda row: int(row.pk))
    return {"tenants": [documents.tenant(each) for each in page], "next": following}


@endpoint("POST", "tenants/", body=NewTenant, gives=TenantDocument, status=201, scope=For.OPS, refusals=(409,))
def add_tenant(query: Any, body: NewTenant, place: Any) -> dict[str, Any]:
    """A new tenant, or one that was deactivated and returns."""
    return _shown(roster.add(body.id, body.name, weight=body.weight, reason=body.reason))


@endpoint("PATCH", "tenants/", body=Rename, gives=TenantDocument, scope=For.TENANT, refusals=(409,))
def change_tenant(query: OfTenant, body: Rename, place: Any) -> dict[str, Any]:
    """Call the tenant something else, or let its schedules keep another zone."""
    if body.name is None and body.zone is None:
        raise Problem(422, "wrong-value", "Wrong value", "Nothing is changed: give name, zone or both.")
    if body.name is not None:
        roster.rename(place.tenant_id, body.name, body.reason)
    if body.zone is not None:
        holidays.set_zone(place.tenant_id, body.zone, reason=body.reason)
    return _shown(Tenant.objects.get(pk=place.tenant_id))


@endpoint("POST", "tenants/<id:tenant_id>/weigh/", body=Weigh, gives=TenantDocument, scope=For.OPS, refusals=(404, 409))
def weigh_tenant(query: Any, body: Weigh, place: Any, tenant_id: int) -> dict[str, Any]:
    """Give a tenant another share beside others."""
    _must_be(tenant_id)
    return _shown(roster.weigh(tenant_id, body.weight, body.reason))


@endpoint(
    "POST", "tenants/<id:tenant_id>/deactivate/", body=Why, gives=Stopped, scope=For.OPS, refusals=(404, 409),
    one_transaction=False,
)  # fmt: skip
def deactivate_tenant(query: Any, body: Why, place: Any, tenant_id: int) -> dict[str, Any]:
    """Let nothing more be enqueued for a tenant, and stop its jobs."""
    _must_be(tenant_id)
    stopped = suspension.suspend(tenant_id, body.reason)
    return {**_shown(stopped.tenant), "cancelled": stopped.cancelled, "aborting": stopped.aborting}


@endpoint("GET", "members/", gives=Members, scope=For.TENANT)
def list_members(query: OfTenant, place: Any) -> dict[str, Any]:
    """Who has which role for the tenant; for its admins."""
    membership.allow("grant role", place.tenant_id)
    return _members(place.tenant_id)


@endpoint("POST", "members/", body=Grant, gives=Members, scope=For.TENANT, refusals=(409,))
def grant_role(query: OfTenant, body: Grant, place: Any) -> dict[str, Any]:
    """Give somebody a role for the tenant, instead of the one they had."""
    members.grant(place.tenant_id, body.user, body.role.value, body.reason)
    return _members(place.tenant_id)


@endpoint("POST", "members/revoke/", body=Revoke, gives=Members, scope=For.TENANT, refusals=(409,))
def revoke_role(query: OfTenant, body: Revoke, place: Any) -> dict[str, Any]:
    """Take somebody's role for the tenant away."""
    members.revoke(place.tenant_id, body.user, body.reason)
    return _members(place.tenant_id)


def _members(tenant_id: int) -> dict[str, Any]:
    return {"members": [{"user": user, "role": role} for user, role in members.listing(tenant_id)]}


def _shown(tenant: Tenant) -> dict[str, Any]:
    return {"tenant": documents.tenant(tenant)}


def _must_be(tenant_id: int) -> None:
    if tenant_id > LARGEST_TENANT or not Tenant.objects.filter(pk=tenant_id).exists():
        raise Problem(404, "unknown-tenant", "Unknown tenant", f"No tenant has the id {tenant_id}.")
