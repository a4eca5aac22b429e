"""create_scheduled_reports and send_generated_report_on_mail over a day, for clients that look alike."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta

import pytest

from task_catalog.facility.models import ReportHistory, ScheduleReport
from task_catalog.reporting import awaiting
from task_catalog.reports.mailing import send_generated_report_on_mail
from task_catalog.reports.scheduled import create_scheduled_reports
from tests.catalog.closing.world import NONE, START, run
from tests.catalog.reports.world import histories, schedule, visits
from youtility_tasks import Transient, tenant
from youtility_tasks.models import TaskEffect
from youtility_tasks.testing import enqueued, run_jobs

KEYS = {"status", "warnings", "processed", "generated", "no_data", "skipped", "errors", "files"}


def utc(text: str) -> datetime:
    return datetime.fromisoformat(f"2025-03-{text}").replace(tzinfo=UTC)


@pytest.fixture(autouse=True)
def at(clock_at):
    """Set the clock; it stands at the morning's sweep."""
    clock_at(utc("03 08:22"))
    return lambda text: clock_at(utc(text))


@pytest.fixture
def work(acme, site):
    """Something that happened in the day before 06:00 in India."""
    return visits(acme, site, "COMPLETED", "ASSIGNED", plandatetime=START)


def fresh(row: ScheduleReport) -> ScheduleReport:
    return ScheduleReport.objects.get(pk=row.pk)


def test_a_due_report_is_made_stored_and_not_due_again(acme, site, work, folders):
    row = schedule(acme, site, bu=site)

    result = run(create_scheduled_reports)

    assert result.keys() == KEYS
    assert {key: result[key] for key in ("processed", "generated", "no_data", "skipped")} == {
        "processed": 1,
        "generated": 1,
        "no_data": 0,
        "skipped": 0,
    }
    (path,) = folders.files()
    stored = fresh(row)
    assert result["files"] == [path.name] == [stored.filename]
    assert path.parent == folders.scheduled / str(acme.id)
    whose = f"TASKSUMMARY__{acme.id}-{site.pk}-{row.pk}__2025-03-02--2025-03-03__13-52-00__"
    assert path.name.startswith(whose)
    assert len(path.stem.removeprefix(whose)) == 32
    assert (stored.fromdatetime, stored.uptodatetime) == (utc("02 00:30"), utc("03 00:30"))
    assert stored.lastgeneratedon == utc("03 08:22")
    assert path.stat().st_mtime == utc("03 08:22").timestamp()

    again = run(create_scheduled_reports)
    assert (again["generated"], again["skipped"]) == (0, 1)
    assert folders.files() == [path]


def test_d26_it_is_made_again_the_next_day_and_periods_follow_each_other(acme, site, folders, at):
    row = schedule(acme, site)
    seen = []
    for day in (3, 4, 5):
        visits(acme, site, "COMPLETED", plandatetime=utc(f"0{day} 00:00"))
        at(f"0{day} 08:22")
        assert run(create_scheduled_reports)["generated"] == 1
        seen.append((fresh(row).fromdatetime, fresh(row).uptodatetime))

    assert [end for _, end in seen] == [utc(f"0{day} 00:30") for day in (3, 4, 5)]
    assert seen[0][1] == seen[1][0] and seen[1][1] == seen[2][0]
    assert len(folders.files()) == 3


def test_d27_the_period_is_kept_to_the_minute_not_cut_to_its_dates(acme, site, folders):
    visits(acme, site, "COMPLETED", plandatetime=utc("02 00:29"))
    visits(acme, site, "COMPLETED", plandatetime=utc("02 00:30"))
    visits(acme, site, "COMPLETED", plandatetime=utc("03 00:29"))
    visits(acme, site, "COMPLETED", plandatetime=utc("03 00:30"))
    schedule(acme, site)

    run(create_scheduled_reports)

    (path,) = folders.files()
    assert [line.split(",")[1:3] for line in path.read_text().splitlines()[1:]] == [
        ["02-Mar-2025", "1"],
        ["03-Mar-2025", "1"],
    ]


def test_a_period_without_rows_has_no_file_no_mail_and_a_history_row(acme, site, folders, mailbox, at):
    row = schedule(acme, site)

    result = run(create_scheduled_reports)
    run_jobs("reports")

    assert (result["generated"], result["no_data"], result["files"]) == (0, 1, [])
    assert (fresh(row).uptodatetime, fresh(row).filename) == (utc("03 00:30"), "")
    (history,) = histories(acme)
    assert (history.has_data, history.export_type, history.traceback) == (False, "SCHEDULED", "")
    at("03 12:00")
    assert run(send_generated_report_on_mail)["sent"] == 0
    assert folders.files() == mailbox.received == []


def test_d27_one_bad_schedule_never_stops_the_others(acme, globex, site, work, folders):
    theirs = globex.site("1")
    rows = {
        "unknown type": schedule(acme, site, report_type="NOTHING"),
        "no site": schedule(acme, None),
        "format": schedule(acme, site, report_params={"site": site.pk, "format": "docx"}),
        "cron": schedule(acme, site, cron="61 * * * *"),
        "foreign site": schedule(acme, theirs),
        "workingdays": schedule(acme, site, cron="0 9 * * 1-5", lastgeneratedon=None),
        "too long": schedule(acme, site, cron="0 9 1 1 *", lastgeneratedon=None),
        "params": schedule(acme, site, report_params="not an object"),
    }
    good = schedule(acme, site)
    off = schedule(acme, site, enable=False, cron="61 * * * *")

    result = run(create_scheduled_reports)

    assert (result["status"], result["processed"], result["generated"]) == ("partial", 9, 1)
    told = {each["id"]: (each["reason"], each["error"]) for each in result["errors"]}
    assert {name: told[row.pk][0] for name, row in rows.items()} == {
        **dict.fromkeys(rows, "bad_input"),
        "cron": "bad_cron",
        "workingdays": "no_workingdays",
    }
    assert "covers at most 31" in told[rows["too long"].pk][1]
    assert "is no site of client" in told[rows["foreign site"].pk][1]
    assert fresh(good).filename and not fresh(off).filename
    run_jobs("reports")
    failures = [row for row in histories(acme) if row.traceback]
    assert len(failures) == 8
    assert {row.export_type for row in failures} == {"SCHEDULED"}
    assert {row.has_data for row in failures} == {False}


def test_the_same_trouble_is_one_history_row_a_period_however_many_runs_meet_it(acme, site, at):
    schedule(acme, site, report_type="NOTHING")
    schedule(acme, site, cron="61 * * * *")

    for moment in ("03 08:22", "03 16:22", "04 08:22"):
        at(moment)
        run(create_scheduled_reports)
    run_jobs("reports")

    assert ReportHistory.objects.count() == 4


def test_d29_clients_that_share_type_dates_and_hour_get_their_own_reports(
    acme, globex, site, work, mailbox, folders, at
):
    theirs = globex.site("1")
    visits(globex, theirs, "COMPLETED", plandatetime=utc("02 12:00"))
    ours, other = schedule(acme, site), schedule(globex, theirs)
    at("03 16:22")

    run(create_scheduled_reports)
    run(send_generated_report_on_mail)

    assert fresh(ours).filename != fresh(other).filename
    assert {got.recipients for got in mailbox.received} == {("boss@acme.example",), ("boss@globex.example",)}
    for got in mailbox.received:
        (attached,) = got.message.iter_attachments()
        name = got.recipients[0].split("@")[1].removesuffix(".example")
        text = attached.get_payload(decode=True).decode()
        assert f"{name} site 1" in text
        assert ("acme" in text) != ("globex" in text)
        assert got.message["X-Youtility-Tenant"] == str(acme.id if name == "acme" else globex.id)
    assert folders.files() == []


def test_d30_the_mail_says_which_report_of_which_site_and_period(acme, site, work, mailbox, folders):
    """They were called "Test Subject"."""
    row = schedule(acme, site, cc=["second@acme.example", "BOSS@acme.example"])
    run(create_scheduled_reports)

    result = run(send_generated_report_on_mail)

    assert {key: result[key] for key in ("pending", "sent", "deleted", "errors")} == {
        "pending": 0,
        "sent": 1,
        "deleted": 1,
        "errors": [],
    }
    (got,) = mailbox.received
    subject = " ".join(got.message["Subject"].split())
    assert subject == "Tasks of the day - acme site 1 - 02-Mar-2025 06:00 to 03-Mar-2025 06:00"
    assert set(got.recipients) == {"boss@acme.example", "second@acme.example"}
    assert "Period: 02-Mar-2025 06:00 to 03-Mar-2025 06:00" in got.text
    assert "House of Keys" in got.text
    (attached,) = got.message.iter_attachments()
    assert attached.get_filename() == f"TASKSUMMARY__{acme.id}-{site.pk}-{row.pk}__2025-03-02--2025-03-03__13-52-00.csv"
    run_jobs("reports")
    (history,) = histories(acme)
    assert (history.export_type, history.report_name, history.user_id) == ("SCHEDULED", "TASKSUMMARY", NONE)
    assert (history.bu_id, history.has_data, history.to_mails) == (site.pk, True, "boss@acme.example")


def test_the_history_of_a_schedule_is_its_makers(acme, site, work, mailbox):
    maker = acme.person("maker", site)
    schedule(acme, site, cuser_id=maker.pk)

    run(create_scheduled_reports)
    run(send_generated_report_on_mail)
    run_jobs("reports")

    assert [row.user_id for row in histories(acme)] == [maker.pk]


def test_d28_it_is_mailed_at_its_local_hour_or_late_but_never_not(acme, site, work, mailbox, at):
    schedule(acme, site, report_sendtime=time(20, 0))  # 14:30 UTC
    run(create_scheduled_reports)

    def sent(moment: str) -> int:
        at(moment)
        return run(send_generated_report_on_mail)["sent"]

    assert [sent(moment) for moment in ("03 08:30", "03 14:00", "03 14:29")] == [0, 0, 0]
    assert sent("05 03:00") == 1
    assert sent("05 03:30") == 0
    assert len(mailbox.received) == 1


def test_a_second_period_does_not_push_out_one_that_still_waits_for_its_mail(acme, site, no_mail_server, request, at):
    schedule(acme, site)
    for day in (3, 4):
        visits(acme, site, "COMPLETED", plandatetime=utc(f"0{day} 00:00"))
        at(f"0{day} 08:22")
        run(create_scheduled_reports)
        with pytest.raises(Transient):
            run(send_generated_report_on_mail)

    mailbox = request.getfixturevalue("mailbox")
    assert run(send_generated_report_on_mail)["sent"] == 2
    assert len({" ".join(got.message["Subject"].split()) for got in mailbox.received}) == 2


def test_a_mail_server_that_is_down_costs_one_try_and_nothing_else(acme, globex, site, work, no_mail_server, folders):
    schedule(acme, site)
    schedule(acme, site)
    run(create_scheduled_reports)

    with pytest.raises(Transient, match="1 failed"):
        run(send_generated_report_on_mail)

    assert len(folders.files()) == 2
    assert list(histories(acme)) == []


def test_dying_between_mail_and_mark_repeats_it_under_the_same_id(acme, site, work, mailbox, monkeypatch, folders):
    schedule(acme, site)
    run(create_scheduled_reports)
    with monkeypatch.context() as patched:
        patched.setattr("task_catalog.flows.scheduled_report.end", lambda *args, **kwargs: 1 / 0)
        with pytest.raises(Exception, match="division"):
            run(send_generated_report_on_mail)
    TaskEffect.objects.filter(key__startswith=awaiting.SCHEDULED_MAIL).update(
        status="reserved", done_at=None, lease_until=START
    )

    run(send_generated_report_on_mail)

    assert len({got.message["Message-ID"] for got in mailbox.received}) == 1
    assert len(mailbox.received) == 2
    assert folders.files() == []


def test_dying_after_the_mark_still_tells_and_deletes(acme, site, work, mailbox, monkeypatch, folders):
    schedule(acme, site)
    run(create_scheduled_reports)
    with monkeypatch.context() as patched:
        patched.setattr("task_catalog.flows.scheduled_report.end", lambda *args, **kwargs: 1 / 0)
        with pytest.raises(Exception, match="division"):
            run(send_generated_report_on_mail)

    result = run(send_generated_report_on_mail)
    run_jobs("reports")

    assert (len(mailbox.received), result["sent"], result["deleted"]) == (1, 0, 1)
    assert folders.files() == []
    assert len(list(histories(acme))) == 1


def test_a_mail_that_went_is_over_even_if_its_file_is_gone(acme, site, work, mailbox, monkeypatch, folders):
    schedule(acme, site)
    run(create_scheduled_reports)
    with monkeypatch.context() as patched:
        patched.setattr("task_catalog.flows.scheduled_report.end", lambda *args, **kwargs: 1 / 0)
        with pytest.raises(Exception, match="division"):
            run(send_generated_report_on_mail)
    folders.files()[0].unlink()

    result = run(send_generated_report_on_mail)

    assert (result["sent"], result["deleted"], result["errors"]) == (0, 0, [])
    assert run(create_scheduled_reports)["generated"] == 0
    assert len(mailbox.received) == 1


def test_a_lost_file_makes_its_period_due_again(acme, site, work, mailbox, folders, at):
    row = schedule(acme, site)
    run(create_scheduled_reports)
    (path,) = folders.files()
    path.unlink()

    at("03 08:30")
    lost = run(send_generated_report_on_mail)
    assert (lost["sent"], lost["errors"]) == (0, [{"id": row.pk, "reason": "file_lost"}])
    assert "is lost; its period is due again" in lost["warnings"][0]
    assert (fresh(row).lastgeneratedon, fresh(row).filename) == (None, "")
    at("03 16:22")
    again = run(create_scheduled_reports)
    at("03 16:30")
    run(send_generated_report_on_mail)

    assert again["generated"] == 1
    (got,) = mailbox.received
    assert "02-Mar-2025 06:00 to 03-Mar-2025 06:00" in " ".join(got.message["Subject"].split())
    assert (fresh(row).fromdatetime, fresh(row).uptodatetime) == (utc("02 00:30"), utc("03 00:30"))
    assert (again["skipped"], again["warnings"]) == (0, [])
    assert run(create_scheduled_reports)["generated"] == 0
    run_jobs("reports")
    assert len(list(histories(acme))) == 1


def test_a_row_that_was_set_back_is_neither_made_nor_mailed_twice(acme, site, work, mailbox, folders):
    row = schedule(acme, site)
    run(create_scheduled_reports)
    run(send_generated_report_on_mail)
    ScheduleReport.objects.filter(pk=row.pk).update(lastgeneratedon=None)

    again = run(create_scheduled_reports)
    run(send_generated_report_on_mail)

    assert (again["generated"], again["skipped"]) == (0, 1)
    assert again["warnings"] == [f"schedule {row.pk}: its period was made before and is not made again"]
    assert len(mailbox.received) == 1
    assert folders.files() == []
    assert run(create_scheduled_reports)["warnings"] == []


def test_two_runs_at_once_make_one_report(acme, site, work, mailbox, folders, monkeypatch):
    """One run looks while the other has not stored yet."""
    from task_catalog.reports import scheduled

    schedule(acme, site)
    make = scheduled.make

    def meanwhile(asked, path):
        with monkeypatch.context() as patched:
            patched.setattr(scheduled, "make", make)
            assert run(create_scheduled_reports)["generated"] == 1
        return make(asked, path)

    monkeypatch.setattr(scheduled, "make", meanwhile)
    late = run(create_scheduled_reports)
    run(send_generated_report_on_mail)

    assert late["generated"] == 0
    assert len(mailbox.received) == 1
    assert folders.files() == []


def test_a_lost_file_of_an_older_period_is_made_again_beside_the_newer_one(acme, site, work, mailbox, folders, at):
    row = schedule(acme, site, report_sendtime=time(23, 59))
    run(create_scheduled_reports)
    (path,) = folders.files()
    visits(acme, site, "COMPLETED", plandatetime=utc("04 00:00"))
    at("04 08:22")
    run(create_scheduled_reports)
    path.unlink()

    for moment, task in (("04 18:30", send_generated_report_on_mail), ("05 00:22", create_scheduled_reports)):
        at(moment)
        run(task)
    at("05 20:00")
    run(send_generated_report_on_mail)

    subjects = sorted(" ".join(got.message["Subject"].split()) for got in mailbox.received)
    assert [subject.partition(" - 0")[2][:10] for subject in subjects] == ["2-Mar-2025", "3-Mar-2025"]
    assert fresh(row).uptodatetime == utc("04 00:30")


def test_without_a_recipient_the_file_is_kept_for_twelve_hours(acme, site, work, mailbox, folders, at):
    schedule(acme, site, to_addr=["nobody", ""])
    run(create_scheduled_reports)

    at("03 20:21")
    waits = run(send_generated_report_on_mail)
    assert (waits["pending"], waits["deleted"], len(folders.files())) == (1, 0, 1)
    assert any("no_recipients" in warning for warning in waits["warnings"])
    at("03 20:22")
    over = run(send_generated_report_on_mail)
    run_jobs("reports")

    assert (over["deleted"], over["errors"][0]["reason"], folders.files()) == (1, "no_recipients", [])
    (row,) = histories(acme)
    assert "has no valid recipient" in row.traceback
    assert run(send_generated_report_on_mail)["pending"] == 0


def test_a_mail_that_is_refused_for_good_is_not_tried_for_ever(acme, site, work, mailbox, folders):
    mailbox.on_recipient = {"boss@acme.example": "550 no such user"}
    schedule(acme, site)
    run(create_scheduled_reports)

    result = run(send_generated_report_on_mail)
    run_jobs("reports")

    assert (result["sent"], result["errors"][0]["reason"]) == (0, "refused")
    assert run(send_generated_report_on_mail)["errors"] == []
    (row,) = histories(acme)
    assert "550 no such user" in row.traceback


def test_a_schedule_that_is_gone_takes_its_file_along(acme, site, work, mailbox, folders):
    row = schedule(acme, site)
    run(create_scheduled_reports)
    row.delete()

    result = run(send_generated_report_on_mail)

    assert (result["errors"][0]["reason"], folders.files(), mailbox.received) == ("schedule_gone", [], [])


def test_a_bug_in_one_report_stops_no_other_and_is_told_at_the_last_attempt(
    acme, globex, site, work, monkeypatch, folders
):
    bad = schedule(acme, site, report_type="LISTOFTASKS")
    good = schedule(acme, site)
    monkeypatch.setattr("task_catalog.reporting.definitions.visits.assignee", lambda *args: 1 / 0)

    for attempt in (1, 4):
        with pytest.raises(Exception, match=f"1 failed, everything else is done: {bad.pk}"):
            run(create_scheduled_reports, attempt=attempt)
        run_jobs("reports")
        assert len(list(histories(acme))) == (attempt == 4)

    assert fresh(good).filename
    assert len(folders.files()) == 1


def test_a_run_that_is_out_of_time_leaves_the_rest_to_a_job_of_its_own(acme, site, work):
    schedule(acme, site)

    result = run(create_scheduled_reports, used_up=0.9)

    assert (result["status"], result["generated"]) == ("partial", 0)
    assert [job.task_name for job in enqueued()] == ["create_scheduled_reports"]


def test_dying_before_the_commit_makes_the_same_report_again(acme, site, work, folders, monkeypatch, mailbox):
    row = schedule(acme, site)
    with monkeypatch.context() as patched:
        patched.setattr("task_catalog.reports.scheduled.effects.promise", lambda *args, **kwargs: 1 / 0)
        with pytest.raises(Exception, match="1 failed"):
            run(create_scheduled_reports)
    assert fresh(row).lastgeneratedon == START - timedelta(hours=1)

    run(create_scheduled_reports, attempt=2)
    run(send_generated_report_on_mail)

    assert len(mailbox.received) == 1
    assert folders.files() == []


def test_another_client_in_the_same_run_is_told_nothing_of_it(acme, globex, site, work, mailbox):
    schedule(acme, site)
    run(create_scheduled_reports)
    with tenant(globex.id):
        assert run(send_generated_report_on_mail)["sent"] == 0
    with tenant(acme.id):
        assert run(send_generated_report_on_mail)["sent"] == 1


def test_the_working_week_is_reported_on_once_it_is_over(acme, site, folders, at):
    visits(acme, site, "COMPLETED", plandatetime=utc("05 10:00"))
    row = schedule(acme, site, cron="0 9 * * 1-5", workingdays="5", lastgeneratedon=utc("02 20:00"))
    made = []
    for day in range(3, 15):
        at(f"{day:02} 08:22")
        if run(create_scheduled_reports)["generated"]:
            made.append((day, fresh(row).fromdatetime, fresh(row).uptodatetime))

    assert made == [(8, utc("02 18:30"), utc("07 18:30"))]
