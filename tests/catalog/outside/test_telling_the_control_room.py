"""The control room hears of saved rows (R-MQ): one message a row, one a batch, in the saving transaction, nothing private."""

from __future__ import annotations

import json

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from task_catalog import checks, entities, noc
from task_catalog.conf import catalog
from task_catalog.expected_fields import ENTITIES
from task_catalog.facility.models import Asset, People
from task_catalog.high_priority.scheduling import create_job
from task_catalog.rules import noc as rules
from tests.catalog.closing.world import NONE, START, run
from tests.catalog.planning.world import Planner
from youtility_tasks import errors, tenant
from youtility_tasks.models import Job

ALL = dict.fromkeys(rules.TABLES, True)


def messages(**about):
    """What is queued for the broker, oldest first."""
    jobs = Job.objects.filter(task_name="publish_mqtt", **about).order_by("id")
    return [json.loads(job.args["payload"]) for job in jobs]


def asset(company, code="a", **columns):
    return Asset(
        assetcode=code, assetname=f"pump {code}", client_id=company.id, bu_id=company.id, **company.stamps(), **columns
    )


def test_a_saved_row_is_told_with_its_operation_and_names(in_acme, configure):
    configure(noc_hooks={"Asset": ["id", "assetcode", "client", "bu"]})

    row = asset(in_acme)
    row.save()
    row.save()

    created, updated = messages()
    assert created == {
        "operation": "CREATE",
        "app": "Activity",
        "models": "Asset",
        "payload": {"id": row.pk, "assetcode": "a", "client_id": in_acme.id, "bu_id": in_acme.id},
    }
    assert updated == {**created, "operation": "UPDATE"}
    assert Job.objects.first().args["topic"] == "redmine_to_noc"


def test_a_table_whose_hook_is_off_is_not_told(in_acme, configure):
    asset(in_acme, "silent").save()
    configure(noc_hooks={"Location": True, "Asset": False})

    asset(in_acme, "b").save()

    assert messages() == []


def test_a_message_exists_if_and_only_if_its_row_does(in_acme, configure):
    configure(noc_hooks={"Asset": True})

    with pytest.raises(ZeroDivisionError), transaction.atomic():
        asset(in_acme).save()
        assert len(messages()) == 1
        raise ZeroDivisionError

    assert messages() == []
    assert not Asset.objects.filter(assetcode="a").exists()


def test_rows_made_in_bulk_are_one_message(in_acme, configure):
    configure(noc_hooks={"Asset": True})
    rows = Asset.objects.bulk_create([asset(in_acme, str(n)) for n in range(50)])
    assert messages() == []

    with CaptureQueriesContext(connection) as sent:
        assert noc.announce("Asset", rows, created=True) == 1

    (message,) = messages()
    assert message["payload"]["count"] == 50
    assert [row["assetcode"] for row in message["payload"]["rows"]] == [str(n) for n in range(50)]
    assert len(sent) == 1


def test_a_batch_that_is_too_large_for_one_message_is_as_many_as_it_needs(in_acme, configure):
    configure(noc_hooks={"Asset": ["id", "assetname"]})
    rows = [asset(in_acme, str(n)) for n in range(2_000)]
    for row in rows:
        row.assetname = '"' * 200

    count = noc.announce("Asset", rows, created=True)

    told = messages()
    assert len(told) == count > 1
    assert sum(message["payload"]["count"] for message in told) == 2_000
    assert all(len(rules.text(message).encode()) <= rules.LARGEST_PAYLOAD for message in told)


def test_rows_of_two_clients_are_never_in_one_message(acme, globex, configure):
    configure(noc_hooks={"Asset": True})
    rows = Asset.objects.bulk_create([asset(acme, "1"), asset(globex, "1"), asset(acme, "12"), asset(globex, "12")])

    with tenant(acme.id):
        noc.announce("Asset", rows, created=True)

    for company in (acme, globex):
        (message,) = messages(tenant_id=company.id)
        assert {row["client_id"] for row in message["payload"]["rows"]} == {company.id}
        assert message["payload"]["count"] == 2


def test_a_row_saved_outside_of_any_tenant_is_told_as_its_clients_own(acme, configure):
    configure(noc_hooks={"Asset": True})

    asset(acme).save()

    assert len(messages(tenant_id=acme.id)) == 1


def test_a_row_of_no_client_outside_of_any_tenant_is_refused_and_not_lost_in_silence(acme, configure):
    configure(noc_hooks={"TypeAssist": True})
    word = entities.TypeAssist(tacode="X", taname="x", client_id=NONE, **acme.stamps())

    with pytest.raises(errors.NoTenant):
        word.save()
    with tenant(acme.id):
        word.save()

    assert len(messages(tenant_id=acme.id)) == 1


def test_fixtures_are_loaded_without_a_word(in_acme, configure):
    configure(noc_hooks={"Asset": True})

    asset(in_acme).save_base(raw=True)

    assert messages() == []


def test_all_15_tables_can_be_told_of_with_fields_that_they_have(configure):
    configure(noc_hooks=ALL)

    assert len(catalog().noc_hooks) == 15
    assert checks.check_task_catalog() == []
    assert {(told.app, told.models) for told in rules.TABLES.values()} == {
        *(("Activity", name) for name in ("Attachment", "Asset", "Location", "Question", "QuestionSet")),
        *(("Activity", name) for name in ("QuestionSetBelonging", "Job", "JobNeed", "JobneedDetails")),
        ("Attendance", "PeopleEventlog"),
        *(("onboarding", name) for name in ("Bt", "TypeAssist", "Shift", "GeofenceMaster")),
        ("Peoples", "People"),
    }


def test_d34_no_field_of_any_table_that_is_told_unasked_is_private(in_acme, configure):
    configure(noc_hooks=ALL)

    in_acme.person("guard", mobno="0123456789", people_extras={"secondaryemails": ["x@y.example"]})

    (message,) = [each for each in messages() if each["models"] == "People"]
    assert not any(rules.is_private(field) for told in rules.TABLES.values() for field in told.fields)
    said = json.dumps(message)
    assert "0123456789" not in said
    assert "@" not in said
    assert message["payload"]["peoplecode"].startswith("guard")


@pytest.mark.parametrize("field", ["password", "email", "mobno", "people_extras", "authtoken", "PhoneNumber"])
def test_d34_a_private_field_cannot_be_switched_on(configure, field):
    configure(noc_hooks={"Person": ["id", field]})

    with pytest.raises(errors.ConfigurationError, match=f"lists '{field}', which never leaves the house"):
        catalog()


@pytest.mark.parametrize(
    ("hooks", "words"),
    [
        ({"Assets": True}, "Did you mean 'Asset'"),
        ({"Ticket": True}, "names 'Ticket', of which the control room is told nothing"),
        ({"Asset": "id"}, "list of field names"),
        ({"Asset": []}, "list of field names"),
        (["Asset"], "right is {'Asset': True}"),
    ],
)
def test_hooks_that_cannot_be_meant_are_refused(configure, hooks, words):
    configure(noc_hooks=hooks)

    with pytest.raises((errors.ConfigurationError, ImproperlyConfigured)) as caught:
        catalog()

    assert words in str(caught.value)


def test_the_check_finds_a_field_that_the_table_lacks_and_a_save_says_so(in_acme, configure):
    configure(noc_hooks={"Asset": ["id", "assetnam"]})

    with pytest.raises(errors.ConfigurationError, match=r"'assetnam', which facility\.Asset has not"):
        asset(in_acme).save()

    (found,) = checks.check_task_catalog()

    assert (found.id, found.level) == ("task_catalog.E006", 40)
    assert "Did you mean 'assetname'" in found.hint


def test_values_are_plain_json_whatever_the_column_holds(in_acme, configure):
    configure(noc_hooks={"Occurrence": True})

    in_acme.work(in_acme.site("1"))

    (message,) = messages()
    assert message["payload"]["plandatetime"] == START.replace(hour=10).isoformat().replace("+00:00", "Z")
    assert isinstance(message["payload"]["uuid"], str)
    assert message["models"] == "JobNeed"


def test_hooks_ask_the_database_nothing_about_foreign_keys(in_acme, configure):
    configure(noc_hooks={"Person": True})
    person = in_acme.person("guard")
    person = People.objects.get(pk=person.pk)

    with CaptureQueriesContext(connection) as sent:
        noc.announce("Person", [person], created=False)

    assert len(sent) == 1


def test_d47_the_occurrences_of_a_plan_are_one_message(in_acme, configure):
    planner = Planner("initech", ctzoffset=0)
    plan = planner.tour(planner.site("1"), 3, 3)
    configure(noc_hooks={"Occurrence": ["id", "seqno", "parent"]})

    with tenant(planner.id):
        made = run(create_job, jobids=[plan.pk])

    (message,) = messages(tenant_id=planner.id)
    assert made["jobneeds_created"] > 1
    assert message["payload"]["count"] == made["jobneeds_created"] + made["children_created"]
    assert (message["operation"], message["models"]) == ("CREATE", "JobNeed")


def test_what_is_told_unasked_is_in_every_applications_tables():
    for logical, told in rules.TABLES.items():
        assert set(told.fields) <= ENTITIES[logical].keys(), logical
