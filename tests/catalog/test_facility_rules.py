"""What the facility's tables themselves refuse, whoever writes."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import IntegrityError, connection, transaction

from task_catalog.facility.clients import create_client, create_site
from task_catalog.facility.models import (
    Asset,
    Bt,
    Job,
    Jobneed,
    People,
    Pgbelonging,
    Pgroup,
    Question,
    QuestionSet,
    QuestionSetBelonging,
    Reminder,
    Ticket,
    TypeAssist,
    Vendor,
    Wom,
    WomDetails,
)
from task_catalog.models import Heartbeat, PlanFingerprint, PlayedClock
from youtility_tasks.models import Tenant

NONE = 1


@pytest.fixture
def stamps(now):
    return {"cdtz": now, "mdtz": now}


@pytest.fixture
def gate(acme, now):
    return create_site(acme, "Gate", "ACME-GATE", at=now)


@pytest.fixture
def plan(acme, gate, stamps):
    return Job.objects.create(jobname="Round", parent_id=NONE, client=acme, bu=gate, **stamps)


@pytest.fixture
def visit(plan, now, stamps):
    return Jobneed.objects.create(
        jobdesc="Round", job=plan, parent_id=NONE, client=plan.client, bu=plan.bu, plandatetime=now, **stamps
    )


def refused(write) -> None:
    """The write fails and leaves the rest of the test's transaction alone."""
    with pytest.raises(IntegrityError), transaction.atomic():
        write()


def test_a_client_comes_with_its_tenant(acme, globex):
    assert list(Tenant.objects.values_list("pk", "name")) == [(acme.pk, "Acme"), (globex.pk, "Globex")]
    assert acme.identifier.tacode == "CLIENT"
    assert acme.parent_id == NONE


def test_a_client_whose_code_is_taken_leaves_neither_unit_nor_tenant(acme, now):
    refused(lambda: create_client("Acme again", "ACME", at=now))

    assert Bt.objects.exclude(pk=NONE).count() == 1
    assert Tenant.objects.count() == 1


def test_a_site_hangs_under_its_client_in_the_clients_clock(acme, globex, now):
    gate = create_site(acme, "Gate", "ACME-GATE", at=now)
    dock = create_site(globex, "Dock", "GLOBEX-DOCK", at=now, ctzoffset=60)

    assert list(Bt.objects.filter(parent=acme)) == [gate]
    assert (gate.identifier.tacode, gate.ctzoffset) == ("SITE", 330)
    assert (dock.identifier, dock.ctzoffset) == (gate.identifier, 60)
    assert Tenant.objects.count() == 2


def test_a_sites_code_is_unique_over_all_clients_because_ticket_numbers_begin_with_it(gate, globex, now):
    refused(lambda: create_site(globex, "Gate", "ACME-GATE", at=now))


def test_a_persons_code_is_unique_per_site_only(acme, globex, gate, stamps):
    People.objects.create(peoplecode="G1", peoplename="Guard", client=acme, bu=gate, **stamps)
    People.objects.create(peoplecode="G1", peoplename="Namesake", client=globex, bu=globex, **stamps)

    refused(lambda: People.objects.create(peoplecode="G1", peoplename="Double", client=acme, bu=gate, **stamps))


def test_a_login_is_unique_but_many_people_have_none(acme, gate, stamps):
    People.objects.create(peoplecode="G1", peoplename="Guard", loginid="guard", client=acme, bu=gate, **stamps)
    for code in ("G2", "G3"):
        People.objects.create(peoplecode=code, peoplename="Guard", client=acme, bu=gate, **stamps)

    refused(lambda: People.objects.create(peoplecode="G4", peoplename="Guard", loginid="guard", bu=gate, **stamps))


def test_a_word_is_unique_per_kind_and_client(acme, globex, stamps):
    TypeAssist.objects.create(tacode="FIRE", taname="Fire", tatype_id=NONE, client=acme, **stamps)
    TypeAssist.objects.create(tacode="FIRE", taname="Fire", tatype_id=NONE, client=globex, **stamps)

    refused(lambda: TypeAssist.objects.create(tacode="FIRE", taname="F", tatype_id=NONE, client=acme, **stamps))


def test_unique_rules_see_null_as_a_value_too(none_rows, stamps):
    TypeAssist.objects.create(tacode="FIRE", taname="Fire", tatype=None, client=None, **stamps)

    refused(lambda: TypeAssist.objects.create(tacode="FIRE", taname="F", tatype=None, client=None, **stamps))


def test_an_asset_code_is_unique_per_site(acme, globex, gate, stamps):
    Asset.objects.create(assetcode="A1", assetname="Pump", client=acme, bu=gate, **stamps)
    Asset.objects.create(assetcode="A1", assetname="Pump", client=globex, bu=globex, **stamps)

    refused(lambda: Asset.objects.create(assetcode="A1", assetname="Lift", client=acme, bu=gate, **stamps))


def test_a_member_is_in_a_group_once(acme, stamps):
    guards = Pgroup.objects.create(groupname="Guards", client=acme, **stamps)
    member = {"pgroup": guards, "people_id": NONE, "assignsites": acme, "client": acme, **stamps}
    Pgbelonging.objects.create(**member)

    refused(lambda: Pgbelonging.objects.create(**member))


def test_a_question_is_in_a_set_once(acme, gate, stamps):
    asked = Question.objects.create(quesname="Door shut?", client=acme, **stamps)
    checklist = QuestionSet.objects.create(qsetname="Round", client=acme, **stamps)
    place = {"qset": checklist, "question": asked, "answertype": "CHECKBOX", "client": acme, "bu": gate, **stamps}
    QuestionSetBelonging.objects.create(**place)

    refused(lambda: QuestionSetBelonging.objects.create(**place, seqno=2))


def test_a_plan_is_known_by_six_things(plan, globex, stamps):
    same = {"jobname": "Round", "parent_id": NONE, **stamps}
    Job.objects.create(client=globex, bu=globex, **same)

    refused(lambda: Job.objects.create(client=plan.client, bu=plan.bu, **same))


def test_a_plans_minutes_are_not_negative(acme, stamps):
    for minutes in ("planduration", "gracetime", "expirytime"):
        refused(lambda minutes=minutes: Job.objects.create(jobname="x", client=acme, **{minutes: -1}, **stamps))


def test_a_plan_has_one_scheduled_root_at_an_instant(visit, plan, globex, now, stamps):
    at = {"jobdesc": "Round", "job": plan, "client": plan.client, "plandatetime": now, **stamps}

    refused(lambda: Jobneed.objects.create(parent_id=NONE, **at))
    refused(lambda: Jobneed.objects.create(parent=None, **at))
    Jobneed.objects.create(parent=visit, seqno=0, **at)
    Jobneed.objects.create(parent=visit, seqno=1, **at)
    Jobneed.objects.create(parent_id=NONE, jobtype="ADHOC", **at)
    Jobneed.objects.create(parent_id=NONE, **{**at, "plandatetime": now + timedelta(hours=3)})
    theirs = Job.objects.create(jobname="Round", parent_id=NONE, client=globex, **stamps)
    Jobneed.objects.create(parent_id=NONE, **{**at, "job": theirs, "client": globex})


def test_dynamic_tours_have_no_instant_and_so_no_limit(plan, stamps):
    for _ in range(2):
        Jobneed.objects.create(jobdesc="Tour", job=plan, parent_id=NONE, client=plan.client, **stamps)

    assert Jobneed.objects.filter(job=plan, plandatetime=None).count() == 2


def test_the_statement_itself_refuses_to_delete_an_occurrence_that_has_reminders(visit, now, stamps):
    Reminder.objects.create(
        jobneed=visit, job=visit.job, reminderdate=now, plandatetime=now, reminderin="DAY", reminderbefore=1, **stamps
    )

    refused(lambda: Jobneed.objects.filter(pk=visit.pk)._raw_delete("default"))

    Reminder.objects.all().delete()
    Jobneed.objects.filter(pk=visit.pk).delete()
    assert not Jobneed.objects.filter(pk=visit.pk).exists()


def test_a_devices_row_gets_a_uuid_from_the_database_too(visit):
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO tracking (deviceid, transportmode, reference, identifier) VALUES"
            " ('d', '', '', 'NONE'), ('d', '', '', 'NONE') RETURNING uuid"
        )
        made = {row[0] for row in cursor.fetchall()}

    assert len(made) == 2
    refused(lambda: Jobneed.objects.create(jobdesc="x", uuid=visit.uuid, cdtz=visit.cdtz, mdtz=visit.mdtz))


def test_a_ticket_number_exists_once_in_all(acme, globex, stamps):
    Ticket.objects.create(ticketno="ACME#1", ticketdesc="Leak", client=acme, bu=acme, **stamps)

    refused(lambda: Ticket.objects.create(ticketno="ACME#1", ticketdesc="Leak", client=globex, bu=globex, **stamps))


def test_a_vendors_code_is_unique_per_client(acme, globex, stamps):
    Vendor.objects.create(code="V1", name="Lifts", client=acme, **stamps)
    Vendor.objects.create(code="V1", name="Lifts", client=globex, **stamps)

    refused(lambda: Vendor.objects.create(code="V1", name="Pumps", client=acme, **stamps))


def test_a_question_of_a_permit_has_one_answer(acme, stamps):
    section = Wom.objects.create(description="EMAIL", client=acme, **stamps)
    asked = Question.objects.create(quesname="Address?", client=acme, **stamps)
    WomDetails.objects.create(wom=section, question=asked, **stamps)

    refused(lambda: WomDetails.objects.create(wom=section, question=asked, **stamps))


def test_the_catalogues_own_tables_hold_one_row_a_subject(db, now):
    Heartbeat.objects.create(minute=now, worker_group="a", at=now, lag_seconds=0.1)
    Heartbeat.objects.create(minute=now, worker_group="b", at=now, lag_seconds=0.1)
    PlanFingerprint.objects.create(client_id=2, job_id=5, fingerprint="f", updated_at=now)
    PlayedClock.objects.create(instant=now)

    refused(lambda: Heartbeat.objects.create(minute=now, worker_group="a", at=now, lag_seconds=0.2))
    refused(lambda: PlanFingerprint.objects.create(client_id=3, job_id=5, fingerprint="g", updated_at=now))
    refused(lambda: PlayedClock.objects.create(id=2, instant=now))
