"""The clients: their share of the workers, what limits them, who may act for them. For operators."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django import forms

from youtility_tasks import controls, members, metrics, roster, suspension
from youtility_tasks.addresses import LARGEST_TENANT
from youtility_tasks.documents import people as documents
from youtility_tasks.documents import queues as queue_documents
from youtility_tasks.errors import Refused
from youtility_tasks.metrics import QueueNumbers
from youtility_tasks.models import Role, Tenant
from youtility_tasks.problems import Problem
from youtility_tasks.schedules import holidays
from youtility_tasks.visits import For

from .acting import Act, Done, Form, Proposal, act
from .table import page
from .visit import Shown, Visit

_A_PAGE = 100


@page("tenants/", scope=For.OPS, takes=("search", "after"))
def tenants(visit: Visit) -> Shown:
    """All clients, active ones first by id, each with what waits and runs for it."""
    search, after = visit.words.text("search", longest=200), visit.words.number("after", most=LARGEST_TENANT)
    rows = list(Tenant.objects.called(search).after(after)[: _A_PAGE + 1])
    loads = metrics.glance_by_tenant()
    weights = sum(row.weight for row in rows if row.is_active)
    found = [
        {
            **documents.tenant(row),
            "load": sum(loads.get(row.pk, []), QueueNumbers("")),
            "share": row.weight / weights if row.is_active and not search and len(rows) <= _A_PAGE else None,
        }
        for row in rows[:_A_PAGE]
    ]
    following = rows[_A_PAGE - 1].pk if len(rows) > _A_PAGE else None
    return Shown(
        "tenants.html", "Tenants", {"tenants": found, "search": search, "after": after, "following": following}
    )


@page("tenants/<tasks_id:tenant_number>/", scope=For.OPS, tab="tenants")
def tenant(visit: Visit, tenant_number: int) -> Shown:
    """One client: its queues, limits and people."""
    found = Tenant.objects.filter(pk=tenant_number).first() if tenant_number <= LARGEST_TENANT else None
    if found is None:
        raise Problem(404, "no-such-tenant", "No such tenant", f"No tenant has the id {tenant_number}.")
    its = [each for each in controls.listing() if each.tenant_id == found.pk]
    return Shown(
        "tenant.html", found.name,
        {
            "tenant": documents.tenant(found),
            "queues": metrics.glance(tenant_id=found.pk),
            "controls": [queue_documents.control(each) for each in its],
            "members": members.listing(found.pk),
        },
    )  # fmt: skip


# -- acts


class _OneTenant(forms.Form):
    tenant_id = forms.IntegerField(min_value=1, max_value=LARGEST_TENANT, widget=forms.HiddenInput)


def _named(target: Mapping[str, Any]) -> Tenant:
    found = Tenant.objects.filter(pk=target["tenant_id"]).first()
    if found is None:
        raise Refused(f"No tenant has the id {target['tenant_id']}.")
    return found


class _TenantAct(Act):
    scope = For.OPS
    Target = _OneTenant


@act
class AddTenant(Act):
    """A new client, or one that comes back."""

    name, needs, label = "add-tenant", "add tenant", "Add a tenant"
    scope = For.OPS

    class Fields(Form):
        """What a client has."""

        number = forms.IntegerField(
            label="Id", min_value=1, max_value=LARGEST_TENANT, help_text="The application's client_id."
        )
        name = forms.CharField(max_length=200)
        weight = forms.IntegerField(
            min_value=1,
            max_value=1_000,
            initial=1,
            help_text="Its share beside others: 3 has three turns for one of 1.",
        )

    def proposal(self, visit: Visit, target: Mapping[str, Any]) -> Proposal:
        """What a tenant may do once it is there."""
        touches = (
            "Jobs can be enqueued for it from then on. One that was deactivated comes back, and its schedules go on.",
        )
        return Proposal("Add a tenant?", touches, visit.to("tenants"))

    def run(self, visit: Visit, given: Mapping[str, Any], reason: str) -> Done:
        """See `roster.add`."""
        made = roster.add(given["number"], given["name"], weight=given["weight"], reason=reason)
        return Done(f"{made.name} is tenant {made.pk}.", visit.to("tenant", made.pk))


@act
class ChangeTenant(_TenantAct):
    """Its name, share and zone."""

    name, needs, label, confirm = "change-tenant", "weigh tenant", "Change", "Change the tenant"

    class Fields(Form):
        """What can be changed of a client."""

        name = forms.CharField(max_length=200)
        weight = forms.IntegerField(
            min_value=1, max_value=1_000, help_text="Its share beside other tenants that have work waiting."
        )
        zone = forms.CharField(
            max_length=64, help_text="An IANA name, such as Europe/Berlin: of its schedules without one."
        )

    def initial(self, visit: Visit, target: Mapping[str, Any]) -> Mapping[str, Any]:
        """As it is."""
        found = _named(target)
        return {"name": found.name, "weight": found.weight, "zone": found.zone}

    def proposal(self, visit: Visit, target: Mapping[str, Any]) -> Proposal:
        """What its share means."""
        found = _named(target)
        touches = (
            "Its share is kept by every claim from the next on. Its schedules without a zone of their own move with the zone.",
        )
        return Proposal(f"Change {found.name}?", touches, visit.to("tenant", found.pk))

    def run(self, visit: Visit, given: Mapping[str, Any], reason: str) -> Done:
        """Only what is different, each in the audit log by itself."""
        found = _named(given)
        if given["name"] != found.name:
            roster.rename(found.pk, given["name"], reason)
        if given["weight"] != found.weight:
            roster.weigh(found.pk, given["weight"], reason)
        if given["zone"] != found.zone:
            holidays.set_zone(found.pk, given["zone"], reason=reason)
        return Done(f"{given['name']} is changed.", visit.to("tenant", found.pk))


@act
class DeactivateTenant(_TenantAct):
    """Stop all work of a client that leaves."""

    name, needs, label, confirm = "deactivate-tenant", "deactivate tenant", "Deactivate", "Deactivate the tenant"
    hurts = True
    one_transaction = False

    def proposal(self, visit: Visit, target: Mapping[str, Any]) -> Proposal:
        """How many jobs it ends."""
        found = _named(target)
        if not found.is_active:
            raise Refused(f"{found.name} is not active already.")
        load = metrics.queue_numbers(tenant_id=found.pk)
        waiting, running = sum(each.todo + each.scheduled for each in load), sum(each.doing for each in load)
        return Proposal(
            f"Deactivate {found.name}?",
            (
                f"{waiting:,} waiting jobs are cancelled and {running:,} running ones told to end.",
                "Nothing can be enqueued for it and its schedules stop, until it is added again. Its history stays.",
            ),
            visit.to("tenant", found.pk),
        )

    def run(self, visit: Visit, given: Mapping[str, Any], reason: str) -> Done:
        """See `suspension.suspend`."""
        left = suspension.suspend(given["tenant_id"], reason)
        return Done(
            f"{left.tenant.name} is inactive: {left.cancelled:,} jobs cancelled, {left.aborting:,} told to end."
        )


class _Person(_OneTenant):
    username = forms.CharField(max_length=150, widget=forms.HiddenInput)


@act
class GrantRole(_TenantAct):
    """Let a person see or act for a client."""

    name, needs, label, confirm = "grant-role", "grant role", "Give somebody a role", "Give the role"

    class Fields(Form):
        """Who, and how far."""

        username = forms.CharField(max_length=150, help_text="As they sign in.")
        role = forms.ChoiceField(choices=Role.choices)

    def proposal(self, visit: Visit, target: Mapping[str, Any]) -> Proposal:
        """A role takes the place of the one before."""
        found = _named(target)
        touches = ("It takes the place of the role that the person has for this tenant now, if any.",)
        return Proposal(f"Give somebody a role for {found.name}?", touches, visit.to("tenant", found.pk))

    def run(self, visit: Visit, given: Mapping[str, Any], reason: str) -> Done:
        """See `members.grant`."""
        members.grant(given["tenant_id"], given["username"], given["role"], reason)
        return Done(f"{given['username']} is {given['role']} of tenant {given['tenant_id']}.")


@act
class RevokeRole(_TenantAct):
    """Take a role away."""

    name, needs, label, confirm = "revoke-role", "revoke role", "Take away", "Take the role away"
    hurts = True
    Target = _Person

    def proposal(self, visit: Visit, target: Mapping[str, Any]) -> Proposal:
        """From the next request on."""
        found = _named(target)
        touches = (f"{target['username']} sees nothing of {found.name} from the next request on.",)
        return Proposal(f"Take the role of {target['username']} away?", touches, visit.to("tenant", found.pk))

    def run(self, visit: Visit, given: Mapping[str, Any], reason: str) -> Done:
        """See `members.revoke`."""
        members.revoke(given["tenant_id"], given["username"], reason)
        return Done(f"{given['username']} has no role for tenant {given['tenant_id']} any more.")
