"""Maintenance visits that were missed or done, as workflows: the sweeps begin the runs, and say to them how they went on."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from task_catalog.facility.models import Jobneed, Ticket
from task_catalog.flows import planned_maintenance
from task_catalog.flows.planned_maintenance import SITE_TOLD
from task_catalog.high_priority.closing import auto_close_jobs
from task_catalog.high_priority.tickets import ticket_escalation
from task_catalog.ports import mail
from tests.catalog.closing.conftest import acme, clock_at, globex, site
from tests.catalog.closing.world import NOON, run, statuses
from tests.catalog.mobile.device import Device
from youtility_tasks import BadInput, Run, errors, tenant
from youtility_tasks.models import TaskWorkflow
from youtility_tasks.testing import enqueued, run_jobs

__all__ = ["acme", "clock_at", "globex", "site"]
CREATED, ALERT = "send_ticket_email", "alert_sendmail"


def runs(company: Any) -> list[dict[str, str]]:
    with tenant(company.id):
        return [Run(pk).statuses() for pk in TaskWorkflow.objects.filter(tenant_id=company.id).order_by("pk").values_list("pk", flat=True)]  # fmt: skip


def missed(company: Any, place: Any, notify: str = "RAISETICKETNOTIFY", **columns: Any) -> Jobneed:
    found: Jobneed = company.work(
        place, notify=notify, identifier="PPM", people=company.person("fitter", place), **columns
    )
    return found


def matrix(company: Any) -> None:
    """Raised tickets reach level 1 after an hour, and level 2 after three."""
    category = company.word("RAISETICKETNOTIFY", "NOTIFYCATEGORY")
    company.step(category, 1, 1, "HOUR")
    company.step(category, 2, 3, "HOUR")


def mails(mailbox: Any) -> list[tuple[str, int]]:
    """Event and level of each mail about a ticket."""
    return sorted((each.effect.split(":")[2], int(each.effect.split(":")[3])) for each in mailbox.of_task(CREATED))


def test_a_missed_visit_goes_from_its_notice_up_the_matrix(acme, site, mailbox, clock_at):
    matrix(acme)
    visit = missed(acme, site)

    run(auto_close_jobs)
    assert len(enqueued(CREATED)) == 1
    run_jobs()

    assert runs(acme) == [
        {
            SITE_TOLD: "succeeded",
            CREATED: "succeeded",
            "level 1 reached": "todo",
            "level 1 told": "blocked",
            "level 2 reached": "blocked",
            "level 2 told": "blocked",
        }
    ]
    for hours in (2, 4):
        clock_at(NOON + timedelta(hours=hours))
        run(ticket_escalation)
        run_jobs()

    assert set(runs(acme)[0].values()) == {"succeeded"}
    assert Ticket.objects.get(pk=Jobneed.objects.get(pk=visit.pk).ticket_id).level == 2
    assert mails(mailbox) == [("created", 0), ("escalated", 1), ("escalated", 2)]
    assert len(mailbox.of_task("auto_close_jobs")) == 1


def test_sweeps_that_come_again_begin_and_tell_nothing_twice(acme, site, mailbox, clock_at):
    matrix(acme)
    visit = missed(acme, site)
    run(auto_close_jobs)
    Jobneed.objects.filter(pk=visit.pk).update(jobstatus="ASSIGNED", other_info={})

    run(auto_close_jobs)
    clock_at(NOON + timedelta(hours=2))
    run(ticket_escalation)
    run(ticket_escalation)
    run_jobs()

    assert statuses(visit) == ["AUTOCLOSED"]
    assert len(runs(acme)) == 1
    assert (mails(mailbox), len(mailbox.of_task("auto_close_jobs"))) == ([("created", 0), ("escalated", 1)], 1)


def test_a_page_that_is_rolled_back_leaves_no_run(acme, site, mailbox, monkeypatch):
    first, second = missed(acme, site), missed(acme, site)
    begin = planned_maintenance.missed

    def fails(visits: Any) -> None:
        begin(visits)
        assert all(each.visit_id != second.pk for each in visits), "no more"

    monkeypatch.setattr(planned_maintenance, "missed", fails)

    with pytest.raises(Exception, match="no more"):
        run(auto_close_jobs)

    assert statuses(first, second) == ["AUTOCLOSED", "ASSIGNED"]
    assert len(runs(acme)) == 1
    monkeypatch.undo()
    run(auto_close_jobs)
    run_jobs()
    assert [set(each.values()) for each in runs(acme)] == [{"succeeded"}, {"succeeded"}]
    assert len(mails(mailbox)) == 2


def test_a_ticket_that_nobody_heard_of_climbs_all_the_same(acme, site, mailbox, clock_at, monkeypatch):
    matrix(acme)
    missed(acme, site)
    run(auto_close_jobs)
    with monkeypatch.context() as refusing:
        refusing.setattr(mail, "deliver", refuse)
        run_jobs()

    clock_at(NOON + timedelta(hours=2))
    run(ticket_escalation)
    run_jobs()

    (steps,) = runs(acme)
    assert (steps[CREATED], steps["level 1 told"]) == ("failed", "succeeded")
    assert mails(mailbox) == [("escalated", 1)]


def test_a_notice_that_cannot_be_sent_is_said_to_the_run(acme, site, mailbox, monkeypatch):
    visit = missed(acme, site, notify="AUTOCLOSENOTIFY")
    with monkeypatch.context() as refusing:
        refusing.setattr(mail, "deliver", refuse)
        run(auto_close_jobs)

    with tenant(acme.id):
        told = Run.by_key(planned_maintenance.NAME, f"visit:{visit.pk}")
        assert (told.status, told.step(SITE_TOLD).result) == ("succeeded", {"is_sent": False})


def test_a_notice_waits_for_the_mail_server_with_its_run(acme, site, mailbox, monkeypatch):
    missed(acme, site, notify="AUTOCLOSENOTIFY")
    with monkeypatch.context() as away:
        away.setattr(mail, "deliver", gone)
        with pytest.raises(errors.Transient):
            run(auto_close_jobs)
    assert runs(acme) == [{SITE_TOLD: "todo"}]

    run(auto_close_jobs)

    assert runs(acme) == [{SITE_TOLD: "succeeded"}]
    assert len(mailbox.received) == 1


@pytest.mark.parametrize("is_deleted", [False, True])
def test_a_run_ends_with_its_ticket(acme, site, globex, mailbox, clock_at, is_deleted):
    for company, place in ((acme, site), (globex, globex.site("1"))):
        matrix(company)
        missed(company, place)
    run(auto_close_jobs)
    run_jobs()
    tickets = Ticket.objects.filter(client_id=acme.id)
    if is_deleted:
        Jobneed.objects.filter(ticket_id__in=tickets).update(ticket_id=1)
        tickets.delete()
    else:
        tickets.update(status="RESOLVED")

    with tenant(globex.id):
        assert planned_maintenance.let_go(globex.id) == 0
    clock_at(NOON + timedelta(hours=2))
    run(ticket_escalation)
    run_jobs()

    assert runs(acme)[0] == {
        SITE_TOLD: "succeeded",
        CREATED: "succeeded",
        "level 1 reached": "succeeded",
        "level 1 told": "skipped",
        "level 2 reached": "skipped",
        "level 2 told": "skipped",
    }
    assert runs(globex)[0]["level 1 told"] == "succeeded"
    assert runs(globex)[0]["level 2 reached"] == "todo"
    assert mails(mailbox) == [("created", 0), ("created", 0), ("escalated", 1)]


def test_a_level_that_came_into_the_matrix_later_is_told_of_without_the_run(acme, site, mailbox, clock_at):
    missed(acme, site)
    run(auto_close_jobs)
    matrix(acme)

    clock_at(NOON + timedelta(hours=2))
    run(ticket_escalation)
    run_jobs()

    assert runs(acme) == [{SITE_TOLD: "succeeded", CREATED: "succeeded"}]
    assert mails(mailbox) == [("created", 0), ("escalated", 1)]


def test_other_work_and_silent_maintenance_have_no_run(acme, site, mailbox):
    acme.work(site, notify="RAISETICKETNOTIFY", people=acme.person("guard", site))
    missed(acme, site, notify="AUTOCLOSED")

    run(auto_close_jobs)
    run_jobs()

    assert runs(acme) == []
    assert (mails(mailbox), len(mailbox.of_task("auto_close_jobs"))) == ([("created", 0)], 1)


def test_what_a_visit_found_is_told_by_its_run(acme, site, mailbox):
    device = Device(acme, site, acme.person("fitter", site))
    visit = acme.work(site, identifier="PPM")
    other = acme.work(site)

    for each in (visit, other):
        device.send("updateTaskTour", {"tablename": "jobneed", "uuid": str(each.uuid), "jobstatus": "COMPLETED"})

    assert runs(acme) == [{ALERT: "todo"}]
    assert [job.args["id"] for job in enqueued(ALERT)] == [visit.pk, other.pk]
    run_jobs()
    assert runs(acme) == [{ALERT: "succeeded"}]


def refuse(*given: Any) -> Any:
    raise BadInput("no such house")


def gone(*given: Any) -> Any:
    raise mail.Unreachable("nobody is there")
