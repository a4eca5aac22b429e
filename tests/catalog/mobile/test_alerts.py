"""alert_sendmail on a real database and a real mail server."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest

from task_catalog.email.alerts import alert_sendmail
from task_catalog.facility.models import Asset, Attachment, Jobneed, People
from task_catalog.mobile import files
from tests.catalog.closing.world import NONE, run, tour_of
from tests.catalog.mobile.device import at
from youtility_tasks import BadInput, NotReady, Transient, effects, tenant
from youtility_tasks.models import TaskEffect

KEYS = {"status", "warnings", "event", "sent", "reason", "attachments"}


def send(company: Any, id: Any, event: str = "observation", **kwargs: Any) -> dict[str, Any]:
    with tenant(company.id):
        return run(alert_sendmail, id=id, event=event, **kwargs)


@pytest.fixture
def work(acme, site, device):
    """A task that was done with its first answer out of range."""
    work = acme.work(site)
    device.asked(work, min=1, max=40, alerton="<1,>40")
    device.send("updateTaskTour", device.done(work, answer="41", alert=True))
    return work


def attach(acme, site, owner: Any, name: str, content: bytes | None, **columns: Any) -> Attachment:
    folder = f"transactions/{acme.id}/x/"
    if content is not None:
        files.write(folder, name, content)
    facts = {
        "owner": str(owner),
        "filepath": folder,
        "filename": name,
        "bu": site,
        "attachmenttype": "ATTACHMENT",
        **columns,
    }
    return Attachment.objects.create(**facts, **acme.stamps())


def test_a_reading_out_of_range_reaches_those_in_charge(acme, site, device, work, mailbox):
    result = send(acme, work.pk)

    assert result.keys() == KEYS
    assert result == {
        "status": "ok",
        "warnings": [],
        "event": "observation",
        "sent": True,
        "reason": None,
        "attachments": 0,
    }
    (got,) = mailbox.received
    assert len(got.recipients) == 2
    assert got.message["Subject"].strip() == f"Reading out of range: {site.buname}, checklist Rounds"
    for line in (
        "When: 03-03-2025 15:45",
        f"Performed by: {device.person.peoplename}",
        f"Description: {work.jobdesc}",
        "1. Question 1: 41 (options -, min 1, max 40, alert on <1,>40)",
    ):
        assert line in got.text
    assert "Question 2" not in got.text
    assert "<b>41</b>" in got.html
    assert Jobneed.objects.get(pk=work.pk).ismailsent


def test_nothing_in_alert_is_no_mail(acme, site, mailbox):
    work = acme.work(site, jobstatus="COMPLETED")

    result = send(acme, work.pk)

    assert (result["status"], result["reason"], result["sent"]) == ("skipped", "nothing_in_alert", False)
    assert mailbox.received == []


def test_a_second_attempt_sends_nothing(acme, work, mailbox):
    send(acme, work.pk)

    again = send(acme, work.pk)

    assert (again["status"], again["sent"]) == ("duplicate", False)
    assert len(mailbox.received) == 1


def test_the_mark_on_the_visit_is_made_with_the_mark_in_the_ledger(acme, work, mailbox, monkeypatch):
    """Dying between the mail and the marks leaves neither, and the next attempt repeats the mail under its Message-ID."""
    from task_catalog.email import alerts

    def dies(*args: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(alerts, "_mark", dies)
        with pytest.raises(KeyboardInterrupt):
            send(acme, work.pk)
    assert TaskEffect.objects.get(key=f"alert:{work.pk}:observation").status == "reserved"
    assert not Jobneed.objects.get(pk=work.pk).ismailsent
    TaskEffect.objects.update(lease_until="2020-01-01T00:00:00Z")

    assert send(acme, work.pk)["sent"]

    first, second = mailbox.received
    assert first.message["Message-ID"] == second.message["Message-ID"]
    assert Jobneed.objects.get(pk=work.pk).ismailsent


def test_a_mail_server_that_is_down_leaves_the_visit_unmarked(acme, work, no_mail_server):
    with pytest.raises(Transient):
        send(acme, work.pk)

    assert not Jobneed.objects.get(pk=work.pk).ismailsent
    with tenant(acme.id):
        assert not effects.is_done(f"alert:{work.pk}:observation")


def test_a_tour_tells_of_its_stops_and_names_the_checkpoint(acme, site, device, mailbox):
    tour, stops = tour_of(acme, site, "ASSIGNED", ["ASSIGNED"] * 2)
    gates = [
        Asset.objects.create(assetcode=f"G{n}", assetname=f"Gate {n}", client_id=acme.id, bu=site, **acme.stamps())
        for n in (1, 2)
    ]
    for stop, gate in zip(stops, gates, strict=True):
        Jobneed.objects.filter(pk=stop.pk).update(asset=gate)
        device.asked(stop)
    device.send("updateTaskTour", device.done(tour), device.done(stops[0]), device.done(stops[1], alert=True))

    send(acme, tour.pk)

    (got,) = mailbox.received
    assert got.message["Subject"].strip() == f"Reading out of range: Gate 2, {site.buname}, checklist Rounds"
    assert "1. [Gate 2] Question 1: Yes" in got.text
    assert list(Jobneed.objects.filter(ismailsent=True).order_by("pk")) == [tour, stops[1]]


def test_a_stop_that_was_told_of_is_not_told_again_with_its_tour(acme, site, device, mailbox):
    tour, stops = tour_of(acme, site, "ASSIGNED", ["ASSIGNED"] * 2)
    device.asked(stops[0])
    device.send("updateTaskTour", device.done(stops[0], alert=True))
    send(acme, stops[0].pk)
    device.send("updateTaskTour", device.done(tour, alerts=True))

    result = send(acme, tour.pk)

    assert (result["status"], result["reason"]) == ("skipped", "told_at_its_stops")
    assert len(mailbox.received) == 1


def test_d14_a_site_with_somebody_in_charge_is_told(acme, site, work, mailbox):
    group_boss = acme.person("area", role="SITEINCHARGE", people_extras={"assignsitegroup": [str(acme.group(site).pk)]})

    send(acme, work.pk)

    assert group_boss.email in mailbox.received[0].recipients


def test_a_site_without_anybody_to_tell_is_skipped(acme, device, mailbox):
    place = acme.site("9")
    work = acme.work(place, alerts=True, jobstatus="COMPLETED")
    People.objects.filter(client_id=acme.id).update(isverified=False)

    result = send(acme, work.pk)

    assert (result["status"], result["reason"]) == ("skipped", "no_recipients")
    assert not Jobneed.objects.get(pk=work.pk).ismailsent


def test_d47_the_files_of_the_visit_and_of_all_its_answers_go_along(acme, globex, site, device, work, mailbox):
    details = device.asked(work)
    attach(acme, site, work.uuid, "a.txt", b"of the visit")
    attach(acme, site, details[0].uuid, "b.txt", b"of an answer")
    attach(acme, site, details[0].uuid, "c.txt", b"of the same answer")
    attach(acme, site, work.uuid, "gone.txt", None)
    attach(acme, site, work.uuid, "passwd", None, filepath="../../../../etc/")
    attach(globex, globex.site("1"), work.uuid, "theirs.txt", b"of another client")

    result = send(acme, work.pk, atts=True)

    (got,) = mailbox.received
    assert [part.get_filename() for part in got.message.iter_attachments()] == ["a.txt", "b.txt", "c.txt"]
    assert (result["attachments"], len(result["warnings"])) == (3, 2)


def test_files_that_do_not_fit_are_named_in_the_mail(acme, site, work, mailbox, settings):
    settings.TASK_CATALOG = {**settings.TASK_CATALOG, "alert_attachments_max_bytes": 10}
    attach(acme, site, work.uuid, "a.txt", b"12345678")
    attach(acme, site, work.uuid, "b.txt", b"12345678")
    attach(acme, site, work.uuid, "c.txt", b"12")

    result = send(acme, work.pk, atts=True)

    (got,) = mailbox.received
    assert [part.get_filename() for part in got.message.iter_attachments()] == ["a.txt", "c.txt"]
    assert "Too large to attach: b.txt" in got.text
    assert result["attachments"] == 2


@pytest.mark.parametrize("where", ["column", "other_info"])
def test_d46_a_route_that_was_not_kept_is_told_of(acme, site, device, mailbox, where):
    pump = Asset.objects.create(assetcode="P", assetname="Pump", client_id=acme.id, bu=site, **acme.stamps())
    facts = {"deviation": True} if where == "column" else {"other_info": {"deviation": "True"}}
    work = acme.work(site, starttime=at(10, 7), performedby=device.person, asset=pump, **facts)

    result = send(acme, work.pk, "deviation")

    assert (result["status"], result["sent"]) == ("ok", True)
    (got,) = mailbox.received
    assert got.message["Subject"].strip() == f"Route deviation: {site.buname}, {work.jobdesc}"
    for line in (
        "Planned: 03-Mar-2025 15:30",
        "Started: 03-Mar-2025 15:37",
        "Asset: Pump",
        f"Performed by: {device.person.peoplename} ({device.person.peoplecode}), no phone number",
    ):
        assert line in got.text
    assert not Jobneed.objects.get(pk=work.pk).ismailsent
    assert send(acme, work.pk, "deviation")["status"] == "duplicate"


def test_a_route_that_was_kept_is_no_deviation(acme, site, mailbox):
    result = send(acme, acme.work(site).pk, "deviation")

    assert (result["status"], result["reason"]) == ("skipped", "no_deviation")


@pytest.mark.parametrize(("attempt", "error"), [(1, NotReady), (2, NotReady), (3, BadInput)])
@pytest.mark.parametrize("whose", ["nobody", "globex", "none"])
def test_an_unknown_visit_is_waited_for_and_then_refused(acme, globex, attempt, error, whose):
    id = {"nobody": 999_999, "none": NONE, "globex": globex.work(globex.site("1"), alerts=True).pk}[whose]

    with pytest.raises(error, match=f"has no occurrence {id}"):
        send(acme, id, attempt=attempt)


@pytest.mark.parametrize(
    ("id", "event"), [(0, "observation"), (True, "observation"), ("1", "observation"), (1, "fire")]
)
def test_arguments_that_cannot_be_meant_are_refused(acme, id, event):
    with pytest.raises(BadInput, match="right is"):
        send(acme, id, event)


def test_d22_look_alikes_of_another_client_hear_nothing(acme, globex, site, work, mailbox):
    place = globex.site("1")
    globex.in_charge(place)
    globex.person("admin", isadmin=True)

    send(acme, work.pk)

    assert all(address.endswith("@acme.example") for address in mailbox.received[0].recipients)


def test_a_file_whose_name_has_the_uploads_uuid_is_sent_under_its_own(acme, site, work, mailbox):
    key = uuid4()
    attach(acme, site, work.uuid, f"{key}_leak.jpg", b"jpg", uuid=key)

    send(acme, work.pk, atts=True)

    assert [part.get_filename() for part in mailbox.received[0].message.iter_attachments()] == ["leak.jpg"]
