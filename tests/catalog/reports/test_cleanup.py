"""cleanup_reports_which_are_12hrs_old: what is old goes, what waits for a mail stays."""

from __future__ import annotations

import os
import time
from datetime import timedelta

import pytest

from task_catalog.maintenance.files import cleanup_reports_which_are_12hrs_old as cleanup
from task_catalog.reports.scheduled import create_scheduled_reports
from tests.catalog.closing.world import NOON, START, run
from tests.catalog.reports.test_on_demand import make, send_form
from tests.catalog.reports.world import form, schedule, visits
from youtility_tasks import BadInput, tenant
from youtility_tasks.models import Tenant
from youtility_tasks.testing import run_jobs

HOUR = timedelta(hours=1)


def put(path, *, hours: float, size: int = 3):
    """A file of that age by the played clock."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"x" * size)
    at = (NOON - timedelta(hours=hours)).timestamp()
    os.utime(path, (at, at))
    return path


def test_old_files_go_young_ones_stay_and_empty_folders_go(acme, folders):
    old = put(folders.on_demand / "7" / "old.csv", hours=12.1, size=5)
    young = put(folders.on_demand / "8" / "young.csv", hours=11.9)
    top = put(folders.on_demand / "top.csv", hours=48)
    kept_with = put(folders.on_demand / "8" / "deep" / "old.csv", hours=48)

    result = run(cleanup)

    assert result == {"status": "ok", "warnings": [], "scanned": 4, "deleted": 3, "bytes": 11, "failed": []}
    assert folders.files() == [young]
    assert not (old.parent.exists() or kept_with.parent.exists() or top.exists())
    assert folders.on_demand.is_dir()


def test_twice_is_nothing_more_and_a_missing_folder_is_nothing(acme, folders):
    assert run(cleanup)["scanned"] == 0
    put(folders.on_demand / "a.csv", hours=48)
    assert run(cleanup)["deleted"] == 1

    assert run(cleanup)["deleted"] == 0


def test_the_age_is_counted_by_the_played_clock(acme, site, asker, folders, clock_at):
    visits(acme, site, "COMPLETED")
    make(acme, form("TASKSUMMARY", site), asker)
    clock_at(NOON + 12 * HOUR)
    assert run(cleanup)["deleted"] == 0

    clock_at(NOON + 12 * HOUR + timedelta(seconds=1))
    assert run(cleanup)["deleted"] == 1


def test_a_file_that_waits_for_its_mail_stays_however_old_it_is(
    acme, site, asker, folders, settings, clock_at, mailbox
):
    settings.TASK_CATALOG = {**settings.TASK_CATALOG, "report_inline_bytes": 1}
    visits(acme, site, "COMPLETED")
    schedule(acme, site, cron="0 11 * * *", ctzoffset=0, lastgeneratedon=None)
    make(acme, send_form(site), asker)
    run(create_scheduled_reports)
    waiting = folders.files()
    assert len(waiting) == 2
    clock_at(NOON + timedelta(days=20))

    assert run(cleanup)["deleted"] == 0
    assert folders.files() == waiting
    run_jobs("email")
    assert len(folders.files()) == 1


def test_a_file_whose_mail_failed_for_good_goes_when_it_is_old(
    acme, site, asker, folders, settings, clock_at, no_mail_server
):
    settings.TASK_CATALOG = {**settings.TASK_CATALOG, "report_inline_bytes": 1}
    settings.YOUTILITY_TASKS = {**settings.YOUTILITY_TASKS, "retry_delay_factor": 0}
    visits(acme, site, "COMPLETED")
    make(acme, send_form(site), asker)
    run_jobs("email")
    clock_at(NOON + 11 * HOUR)
    assert run(cleanup)["deleted"] == 0

    clock_at(NOON + 13 * HOUR)
    assert run(cleanup)["deleted"] == 1


def test_a_tenant_that_is_not_active_keeps_its_files_until_it_returns(acme, globex, folders):
    ours = put(folders.on_demand / str(acme.id) / "1" / "a.csv", hours=48)
    theirs = put(folders.on_demand / str(globex.id) / "1" / "a.csv", hours=48)
    Tenant.objects.filter(pk=globex.id).update(is_active=False)

    run(cleanup)

    assert (ours.exists(), theirs.exists()) == (False, True)


def test_what_is_being_written_is_old_by_the_machines_clock_alone(acme, folders, clock_at):
    """A played day may lie long before the files that are being written, or long after them."""
    writing = put(folders.on_demand / "1" / ".a.part", hours=0)
    beside = put(folders.on_demand / "1" / ".b.tmp" / "rows", hours=0)
    left = put(folders.on_demand / "1" / ".c.part", hours=0)
    for path in (writing, beside):
        os.utime(path)
    os.utime(left, (time.time() - 13 * 3_600,) * 2)
    for year in (2001, 2090):
        clock_at(NOON.replace(year=year))
        run(cleanup)

    assert folders.files() == sorted([writing, beside])


def test_a_tenants_own_job_cleans_its_part_alone(acme, globex, folders):
    ours = put(folders.on_demand / str(acme.id) / "1" / "a.csv", hours=48)
    theirs = put(folders.on_demand / str(globex.id) / "1" / "a.csv", hours=48)

    with tenant(acme.id):
        result = run(cleanup)

    assert (result["deleted"], ours.exists(), theirs.exists()) == (1, False, True)


def test_links_are_neither_deleted_nor_followed(acme, folders, tmp_path):
    outside = put(tmp_path / "outside" / "precious.csv", hours=480)
    folders.on_demand.mkdir()
    (folders.on_demand / "folder").symlink_to(outside.parent)
    (folders.on_demand / "file").symlink_to(outside)

    assert run(cleanup)["deleted"] == 0
    assert outside.exists()
    assert (folders.on_demand / "file").is_symlink()


@pytest.mark.parametrize("which", ["on_demand", "scheduled"])
def test_a_configured_folder_can_be_named(acme, folders, which):
    for folder in (folders.on_demand, folders.scheduled):
        put(folder / "a.csv", hours=48)

    result = run(cleanup, dir_path=f"{getattr(folders, which)}/", hours_old=1)

    assert result["deleted"] == 1
    assert len(folders.files()) == 1
    assert not (getattr(folders, which) / "a.csv").exists()


@pytest.mark.parametrize("path", ["/", "/etc", "/var", "", "..", "relative", 5, "{on_demand}/..", "{on_demand}/7"])
def test_d43_no_other_folder_is_touched(acme, folders, path):
    put(folders.on_demand / "7" / "a.csv", hours=48)
    given = path.format(on_demand=folders.on_demand) if isinstance(path, str) else path

    with pytest.raises(BadInput, match="right is a configured report folder"):
        run(cleanup, dir_path=given)

    assert len(folders.files()) == 1


@pytest.mark.parametrize("hours", [0, -1, True, "12", 1.5, None, 10**9])
def test_an_age_that_cannot_be_meant_is_bad_input(acme, folders, hours):
    put(folders.on_demand / "a.csv", hours=48)

    with pytest.raises(BadInput, match="right is a whole number of hours"):
        run(cleanup, hours_old=hours)

    assert len(folders.files()) == 1


def test_a_file_that_cannot_be_deleted_is_told_after_the_others_are(acme, folders, monkeypatch):
    stuck = put(folders.on_demand / "1" / "stuck.csv", hours=48)
    put(folders.on_demand / "2" / "other.csv", hours=48)
    really = type(stuck).unlink

    def unlink(path, *args, **kwargs):
        if path == stuck:
            raise PermissionError("not yours")
        really(path, *args, **kwargs)

    monkeypatch.setattr(type(stuck), "unlink", unlink)

    with pytest.raises(Exception, match=r"1 failed, everything else is done: .*stuck.csv: PermissionError: not yours"):
        run(cleanup)

    assert folders.files() == [stuck]


def test_a_run_that_is_out_of_time_goes_on_in_another_job(acme, folders):
    put(folders.on_demand / "a.csv", hours=48)

    result = run(cleanup, used_up=0.9)

    assert (result["status"], result["deleted"]) == ("partial", 0)
    from youtility_tasks.testing import assert_enqueued

    assert_enqueued("cleanup_reports_which_are_12hrs_old", hours_old=12)


def test_the_first_cleanup_of_the_day_takes_what_lay_there_and_leaves_the_downloads(
    acme, site, asker, folders, clock_at
):
    """catalog.md 5.6: 20 files of two days ago; twelve downloads of 13:00 remain at the day's end."""
    for n in range(20):
        put(folders.on_demand / str(n % 4) / f"{n}.csv", hours=48 + 12)
    clock_at(START + timedelta(minutes=15))
    assert run(cleanup)["deleted"] == 20

    visits(acme, site, "COMPLETED")
    clock_at(START + 13 * HOUR)
    for n in range(12):
        make(acme, form("TASKSUMMARY", site), asker, job_id=n + 1)
    for hour in range(13, 24):
        clock_at(START + hour * HOUR + timedelta(minutes=15))
        assert run(cleanup)["deleted"] == 0
    assert len(folders.files()) == 12
