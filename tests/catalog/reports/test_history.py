"""create_report_history: one row a request, the client's own, without secrets."""

from __future__ import annotations

import pytest

from task_catalog.facility.models import ReportHistory
from task_catalog.reporting import telling
from task_catalog.reports.history import create_report_history
from tests.catalog.closing.world import NONE, NOON
from tests.catalog.reports.world import histories
from youtility_tasks import BadInput, TaskContext, tenant
from youtility_tasks.models import Job
from youtility_tasks.testing import enqueued, run_jobs

FORM = {
    "report_name": "LISTOFTASKS",
    "export_type": "SEND",
    "ctzoffset": "-300",
    "to_addr": ["a@x.example", "b@x.example"],
    "cc": "c@x.example",
    "email_body": "Hello",
}


def write(company, *, job_id=1, **more):
    given = {"formdata": FORM, "userid": NONE, "buid": company.id, "EI": [None, None, None], **more}
    with tenant(company.id):
        return create_report_history.func(TaskContext.for_tests(create_report_history, job_id=job_id), **given)


def test_d42_the_row_has_its_client_and_params_as_json(acme, site, asker):
    result = write(acme, userid=asker.pk, buid=site.pk, formdata={**FORM, "nested": {"Password": "x", "kept": [1]}})

    (row,) = histories(acme)
    assert result == {"status": "ok", "warnings": [], "id": row.pk}
    assert (row.client_id, row.bu_id, row.user_id, row.datetime) == (acme.id, site.pk, asker.pk, NOON)
    assert (row.report_name, row.export_type, row.ctzoffset) == ("LISTOFTASKS", "EMAIL", -300)
    assert (row.to_mails, row.cc_mails, row.email_body) == ("a@x.example,b@x.example", "c@x.example", "Hello")
    assert row.params == {**FORM, "nested": {"kept": [1]}}
    assert (row.has_data, row.traceback) == (True, "")


def test_a_failure_has_its_traceback_or_else_its_words(acme):
    write(acme, job_id=1, EI=["ValueError", "no", "Traceback ...\nValueError: no"], has_data=False)
    write(acme, job_id=2, EI=["ValueError", "no", None])

    assert [row.traceback for row in histories(acme)] == ["Traceback ...\nValueError: no", "ValueError: no"]
    assert [row.has_data for row in histories(acme)] == [False, True]


def test_the_same_request_has_one_row(acme):
    assert write(acme, request_key="k")["status"] == "ok"
    assert write(acme, request_key="k", job_id=2) == {"status": "duplicate", "warnings": [], "id": None}
    assert write(acme, request_key="l", job_id=3)["status"] == "ok"
    assert write(acme, job_id=4)["status"] == "ok"
    assert write(acme, job_id=4)["status"] == "duplicate"

    assert ReportHistory.objects.count() == 3


def test_two_clients_with_the_same_key_have_a_row_each(acme, globex):
    assert write(acme, request_key="k")["status"] == write(globex, request_key="k")["status"] == "ok"


def test_long_and_strange_values_fit_their_columns(acme):
    write(
        acme,
        formdata={
            "report_name": "x" * 300,
            "export_type": "y" * 300,
            "to_addr": ["a@x.example"] * 100,
            "cc": None,
            "email_body": "z" * 900,
            "ctzoffset": "far",
        },
    )

    (row,) = histories(acme)
    assert (len(row.report_name), len(row.export_type), len(row.to_mails), len(row.email_body)) == (100, 55, 250, 500)
    assert (row.cc_mails, row.ctzoffset) == ("", -1)


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"userid": 999_999}, "has no user 999999"),
        ({"userid": "1"}, "userid is '1'; right is the id of a user"),
        ({"userid": True}, "userid is True; right is the id of a user"),
        ({"buid": 999_999}, "has no site 999999"),
        ({"buid": None}, "buid is None; right is the id of a site"),
        ({"EI": [None, None]}, "right is"),
        ({"EI": "error"}, "right is"),
        ({"EI": [1, None, None]}, "right is"),
        ({"formdata": None}, "right is an object"),
        ({"client_id": 999_999}, "client_id is 999999"),
    ],
)
def test_bad_input(acme, changed, words):
    with pytest.raises(BadInput, match=words):
        write(acme, **changed)

    assert ReportHistory.objects.count() == 0


def test_another_clients_user_and_site_are_unknown(acme, globex):
    with pytest.raises(BadInput, match="has no user"):
        write(acme, userid=globex.person("asker").pk)
    with pytest.raises(BadInput, match="has no site"):
        write(acme, buid=globex.site("1").pk)


def test_what_is_told_twice_is_one_job(acme, site, asker):
    request = telling.Request(key="k", form=FORM, user_id=asker.pk, unit_id=site.pk)
    with tenant(acme.id):
        assert telling.tell(request)
        assert not telling.tell(request, has_data=False, trouble=("E", "m", "t"))

    assert len(enqueued("create_report_history")) == 1


def test_a_request_whose_process_died_is_told_by_the_next_sweep_and_once(acme, globex, site, asker):
    """The last words of a failed job are spoken by its process; one that was killed has none."""
    from task_catalog.reports.mailing import send_generated_report_on_mail
    from task_catalog.reports.on_demand import create_save_report_async

    with tenant(acme.id):
        job_id = int(
            create_save_report_async.enqueue(
                formdata={**FORM, "site": site.pk}, client_id=acme.id, user_email="a@x.example", user_id=asker.pk
            ).id
        )
    Job.objects.filter(pk=job_id).update(status="failed")

    for _ in range(2):
        send_generated_report_on_mail.enqueue()
        run_jobs("reports")

    (row,) = histories(acme)
    assert (row.user_id, row.bu_id, row.report_name) == (asker.pk, site.pk, "LISTOFTASKS")
    assert f"Job {job_id} ended without a report" in row.traceback


def test_one_dead_letter_that_nobody_understands_keeps_no_other_from_being_told(acme, site, asker, monkeypatch, caplog):
    from task_catalog.reports.on_demand import create_save_report_async

    ids = []
    for report in ("LISTOFTASKS", "LISTOFTOURS"):
        with tenant(acme.id):
            asked = {"formdata": {**FORM, "report_name": report}, "client_id": acme.id}
            ids.append(int(create_save_report_async.enqueue(**asked, user_email="a@x.example", user_id=asker.pk).id))
    Job.objects.filter(pk__in=ids).update(status="failed")
    find = telling._find["create_save_report_async"]
    monkeypatch.setitem(
        telling._find, "create_save_report_async", lambda id, args: 1 / 0 if id == ids[0] else find(id, args)
    )

    with tenant(acme.id):
        assert telling.tell_of_dead_letters() == 1
    run_jobs("reports")

    assert [row.report_name for row in histories(acme)] == ["LISTOFTOURS"]
    assert f"request not told, the others are id={ids[0]}" in caplog.text
