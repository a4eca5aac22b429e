"""The data set has the printed sizes (catalog.md 5.1), and goes away without a trace of it left."""

from __future__ import annotations

from datetime import date

import pytest
from django.apps import apps

from task_catalog import entities
from task_catalog.company_day.company import unit_code
from task_catalog.company_day.definitions import CLIENTS
from task_catalog.company_day.paperwork import WEIGHTS
from task_catalog.company_day.removal import remove_company
from task_catalog.company_day.seed import seed_company
from task_catalog.company_day.seed_office import SCORE_FORM
from task_catalog.facility.clients import create_client
from youtility_tasks.models import TaskEffect, Tenant

MONDAY = date(2025, 3, 3)

pytestmark = pytest.mark.django_db


def sizes(company):
    """Rows by client's letter, of what 5.1 counts."""

    def count(rows, letter):
        return rows.filter(client_id=company.clients[letter].id).count()

    roots = entities.Plan.objects.filter(entities.points_nowhere("parent"))
    return {
        letter: {
            "sites": entities.BusinessUnit.objects.filter(parent_id=company.clients[letter].id).count(),
            "people": count(entities.Person.objects, letter),
            "assets": count(entities.Asset.objects.filter(identifier="ASSET"), letter),
            "scrapped": count(entities.Asset.objects.filter(runningstatus="SCRAPPED"), letter),
            "checkpoints": count(entities.Asset.objects.filter(identifier="CHECKPOINT"), letter),
            "plans": count(roots.filter(pk__in=company.plans), letter),
            "idle": count(roots.filter(pk__in=company.idle_plan_ids), letter),
        }
        for letter in company.clients
    }


def test_the_data_set_has_the_printed_sizes():
    company = seed_company(MONDAY)

    assert sizes(company) == {
        "A": {
            "sites": 10,
            "people": 76,
            "assets": 100,
            "scrapped": 10,
            "checkpoints": 60,
            "plans": 91,
            "idle": 7,
        },
        "B": {"sites": 6, "people": 48, "assets": 60, "scrapped": 6, "checkpoints": 36, "plans": 55, "idle": 7},
        "C": {"sites": 4, "people": 34, "assets": 40, "scrapped": 4, "checkpoints": 24, "plans": 37, "idle": 7},
    }
    assert entities.Session.objects.count() == 500


def test_questions_of_the_sets_are_the_printed_ones():
    company = seed_company(MONDAY)

    counts = {
        name: entities.QuestionSetBelonging.objects.filter(qset=qset).count()
        for name, qset in company.clients["B"].qsets.items()
        if qset.type == "CHECKLIST"
    }

    assert counts == {"task": 5, "ppm": 8, "checkpoint": 4}


def test_scale_multiplies_the_sites_and_the_stops_of_the_external_tour():
    company = seed_company(MONDAY, scale=2)

    found = sizes(company)["C"]
    tour = next(pk for pk, plan in company.plans.items() if plan.kind.code == "EX" and plan.client.letter == "C")
    assert (found["sites"], found["plans"], found["idle"]) == (8, 73, 7)
    assert entities.Plan.objects.filter(parent_id=tour).count() == 8


def test_people_codes_are_reused_across_clients_and_mail_domains_are_not():
    company = seed_company(MONDAY)

    codes = {
        letter: set(entities.Person.objects.filter(client_id=rows.id).values_list("peoplecode", flat=True))
        for letter, rows in company.clients.items()
    }
    domains = {
        letter: {
            address.partition("@")[2]
            for address in entities.Person.objects.filter(client_id=rows.id).values_list("email", flat=True)
        }
        for letter, rows in company.clients.items()
    }
    assert codes["C"] < codes["B"] < codes["A"]
    assert domains == {"A": {"client-a.example"}, "B": {"client-b.example"}, "C": {"client-c.example"}}


def test_the_forms_of_permits_and_scores_have_their_sections():
    rows = seed_company(MONDAY).clients["A"]

    sections = {form: [each.qsetname for each in found] for form, found in rows.sections.items()}
    assert sections["Hot Work Permit"] == ["GENERAL DETAILS", "PRECAUTIONS", "EMAIL", "COMPLETED ON RETURN"]
    assert sections[SCORE_FORM] == list(WEIGHTS)
    assert {form.type for name, form in rows.qsets.items() if name.endswith("Permit")} == {"WORKPERMIT"}
    assert entities.Approver.objects.filter(client_id=rows.id).count() == 4


def test_scheduled_reports_of_all_clients_share_type_hour_and_send_time():
    company = seed_company(MONDAY)

    shown = {
        letter: list(
            entities.ScheduleReport.objects.filter(client_id=rows.id)
            .order_by("pk")
            .values_list("report_type", "cron", "report_sendtime", "lastgeneratedon")
        )
        for letter, rows in company.clients.items()
    }
    assert shown["A"] == shown["B"] == shown["C"]
    assert len(shown["A"]) == 5
    addresses = {tuple(each.to_addr) for each in entities.ScheduleReport.objects.all()}
    assert len(addresses) == 3


def test_each_client_is_a_tenant():
    company = seed_company(MONDAY)

    assert set(Tenant.objects.active().values_list("pk", flat=True)) == set(company.client_ids)


def test_one_site_of_a_has_a_group_as_assignee():
    company = seed_company(MONDAY)

    grouped = entities.Plan.objects.filter(pk__in=company.plans).exclude(entities.points_nowhere("pgroup"))

    assert {plan.bu_id for plan in grouped} == {company.clients["A"].sites[1].pk}
    assert grouped.count() == 9
    assert all(entities.is_none(plan.people_id) for plan in grouped)


def test_another_seed_changes_names_and_no_number():
    first = sizes(seed_company(MONDAY, seed=1))
    names = list(entities.Person.objects.order_by("pk").values_list("peoplename", flat=True))
    remove_company()

    second = sizes(seed_company(MONDAY, seed=2))

    assert first == second
    assert names != list(entities.Person.objects.order_by("pk").values_list("peoplename", flat=True))


def test_removal_takes_the_days_rows_and_only_them():
    seed_company(MONDAY)
    acme = create_client("Acme", "ACME", at=entities.BusinessUnit.objects.get(bucode=unit_code(CLIENTS[0])).cdtz)
    TaskEffect.objects.create(tenant_id=acme.pk, key="kept", status="pending")
    TaskEffect.objects.create(tenant_id=0, key="notice:failed:publish_mqtt:2025-03-03T12", status="pending")

    assert remove_company() == 3

    left = {
        model.__name__: list(model.objects.exclude(pk=entities.none_id()).values_list("pk", flat=True))
        for model in apps.get_app_config("facility").get_models()
    }
    words = left.pop("TypeAssist")
    assert {name: rows for name, rows in left.items() if rows} == {"Bt": [acme.pk]}
    assert set(entities.TypeAssist.objects.filter(pk__in=words).values_list("tacode", flat=True)) == {
        "BVIDENTIFIER",
        "CLIENT",
        "SITE",
    }
    assert list(Tenant.objects.values_list("pk", flat=True)) == [acme.pk]
    assert not entities.Session.objects.exists()
    assert TaskEffect.objects.get().key == "kept"
