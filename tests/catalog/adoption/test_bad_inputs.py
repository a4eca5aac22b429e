"""Whatever the 32 tasks are given: a typed error, nothing written, no second attempt."""

from __future__ import annotations

import datetime as dt
import itertools
import math
import typing
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from django.apps import apps
from django.db import connection

import task_catalog.tasks  # noqa: F401 - registers the 32
from tests.catalog.adoption.estate import Estate
from tests.catalog.test_registry import ARGUMENTS, ROWS
from tests.integration.mutants import undone
from youtility_tasks import errors, on_final_failure, registry, tenant
from youtility_tasks.models import Job, TaskExecutionHistory
from youtility_tasks.testing import run_jobs

pytestmark = pytest.mark.django_db

TAKES = {name: [each.partition("=")[0] for each in spelled.split()] for name, spelled in ARGUMENTS.items()}

# -- what can be seen before anything is stored


def deep() -> list[Any]:
    value: list[Any] = []
    for _ in range(500):
        value = [value]
    return value


UNSTORABLE: dict[str, Any] = {
    "NaN": math.nan,
    "infinity": [math.inf],
    "NUL": "a\0b",
    "NUL in a key": {"a\0": 1},
    "half a character": "\ud800",
    "huge": "x" * 300_000,
    "deep": deep(),
    "a set": {1},
    "bytes": b"x",
    "an instant": dt.datetime(2025, 3, 3, tzinfo=dt.UTC),
    "a row": object(),
}


@pytest.mark.parametrize("name", ROWS)
def test_what_cannot_be_stored_is_refused_where_it_is_said(acme: Estate, name: str) -> None:
    task, call = registry.get(name), acme.call(name)
    before = everything()

    with tenant(acme.id):
        for argument, (label, value) in itertools.product(call, UNSTORABLE.items()):
            for put in (task.enqueue, task.delay):
                with pytest.raises(errors.EnqueueError) as caught:
                    put(**{**call, argument: value})
                assert isinstance(caught.value, errors.NotJson | errors.TooLarge | errors.TooDeep), (argument, label)
                assert name in str(caught.value)
        for wrong in ({"unheard_of": 1}, {"": 1}):
            with pytest.raises(errors.WrongArguments, match=name):
                task.enqueue(**call, **wrong)

    assert not Job.objects.exists()
    assert everything() == before


# -- what only the task can see

NUMBERS = ["abc", "", "7; DROP TABLE ticket", 1.5, True, [], [1], {}, 0, -1, 2**31, 2**63, -(2**63) - 1, 10**300]
TEXTS = [5, 1.5, True, [], {}, ["x"]]
LISTS = ["abc", "", 5, True, {"a": 1}, [[]], [None], [1.5], [{}], [True]]
TRUTHS = ["yes", "false", 5, 1.5, [], {}]
OBJECTS = ["x", "", 5, True, [], [1]]
BY_TYPE: dict[Any, list[Any]] = {int: NUMBERS, str: TEXTS, bool: TRUTHS}
_UNKNOWN = 2**31
FITTING: dict[tuple[str, str], list[Any]] = {
    # values of other kinds that are all right here
    ("send_generated_report_onfly_email", "ctzoffset"): [0, -1],
    ("send_generated_report_onfly_email", "to"): [[None]],
    ("send_generated_report_onfly_email", "cc"): [[None]],
    ("cleanup_expired_sessions_task", "retention_days"): [0],
    ("move_media_to_cloud_storage", "skip_days"): [0],
    ("move_media_to_cloud_storage", "limit"): [],
    ("task_every_min", "timestamp"): [0, _UNKNOWN],
    ("send_ticket_email", "level"): [0],
    # looked for below: they are waited for
    ("send_ticket_email", "id"): [_UNKNOWN],
    ("alert_sendmail", "id"): [_UNKNOWN],
    # a number or a question set that the permit does not have is only a hint that is wrong
    ("send_email_notification_for_wp", "qsetid"): [_UNKNOWN],
    **{
        (f"send_email_notification_for_vendor_and_security_{news}", "permit_no"): [0, -1, _UNKNOWN]
        for news in ("of_wp_cancellation", "for_rwp", "after_approval")
    },
    # what a device sends is looked at record by record
    ("insert_json_records_async", "records"): [],
}


def of_type(annotation: Any) -> tuple[list[Any], bool]:
    """Values that do not fit a parameter's annotation, and whether None does."""
    members = set(typing.get_args(annotation)) if type(annotation).__name__ == "UnionType" else {annotation}
    optional = type(None) in members
    if members - {type(None)} == {int, str}:
        return [each for each in NUMBERS if isinstance(each, bool) or not isinstance(each, int | str)], optional
    (kind,) = members - {type(None)}
    if typing.get_origin(kind) is list or kind is list:
        return LISTS, optional
    if typing.get_origin(kind) is dict or kind is dict:
        return OBJECTS, optional
    return BY_TYPE[kind], optional


TAKEN = [(name, argument) for name in ROWS for argument in TAKES[name]]


@pytest.mark.parametrize(("name", "argument"), TAKEN)
def test_a_value_that_does_not_fit_is_bad_input_at_the_first_attempt(acme: Estate, name: str, argument: str) -> None:
    values, optional = of_type(typing.get_type_hints(registry.get(name).func)[argument])
    fitting = FITTING.get((name, argument), [])
    call = acme.call(name)

    looks = [
        Look(f"{argument}={value!r:.40}", {**call, argument: value}, says="" if value == _UNKNOWN else argument)
        for value in (values if optional else [*values, None])
        if not any(value == each and type(value) is type(each) for each in fitting)
    ]

    assert accepted(acme, name, looks) == []


def test_without_the_look_at_the_types_it_would_be_seen(acme: Estate, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("task_catalog.arguments.check", lambda *given: None)
    name, argument = "create_report_history", "has_data"

    looks = [Look(f"{argument}={value!r}", {**acme.call(name), argument: value}) for value in TRUTHS]

    assert accepted(acme, name, looks)


Change = Callable[[Estate, Estate], Any]


def asked_for(**more: Any) -> Change:
    return lambda me, other: me.report_form(**more)


MEANT_BADLY: list[tuple[str, str, Change]] = [
    # another client's
    ("create_ppm_job", "jobid", lambda me, other: other.ppm_plan.pk),
    ("create_ppm_job", "jobid", lambda me, other: me.plan_row.pk),
    ("create_ppm_job", "jobid", lambda me, other: 1),
    ("create_job", "jobids", lambda me, other: [me.plan_row.pk, other.plan_row.pk]),
    ("create_job", "jobids", lambda me, other: [me.plan_row.pk] * 501),
    ("create_job", "jobids", lambda me, other: [987654321]),
    ("create_job", "jobids", lambda me, other: []),
    ("auto_close_jobs", "jobneedid", lambda me, other: other.visit.pk),
    ("auto_close_jobs", "jobneedid", lambda me, other: 987654321),
    ("perform_facerecognition_bgt", "peopleid", lambda me, other: other.staff["V1"].pk),
    ("perform_facerecognition_bgt", "peopleid", lambda me, other: me.staff["V2"].pk),
    ("perform_facerecognition_bgt", "peopleid", lambda me, other: 987654321),
    ("perform_facerecognition_bgt", "pel_uuid", lambda me, other: "not-a-uuid"),
    ("perform_facerecognition_bgt", "pel_uuid", lambda me, other: ""),
    ("perform_facerecognition_bgt", "attachment_uuid", lambda me, other: "x" * 36),
    ("perform_facerecognition_bgt", "db", lambda me, other: "elsewhere"),
    ("process_graphql_mutation_async", "payload", lambda me, other: ""),
    ("process_graphql_mutation_async", "payload", lambda me, other: "{"),
    ("process_graphql_mutation_async", "payload", lambda me, other: "[]"),
    ("process_graphql_mutation_async", "payload", lambda me, other: "null"),
    ("process_graphql_mutation_async", "payload", lambda me, other: '{"mutation": 5}'),
    ("process_graphql_mutation_async", "payload", lambda me, other: '{"mutation": "  "}'),
    ("process_graphql_mutation_async", "payload", lambda me, other: '{"mutation": "{ __typename }"}'),
    ("process_graphql_mutation_async", "payload", lambda me, other: '{"mutation": "mutation { dropTable }"}'),
    ("process_graphql_mutation_async", "payload", lambda me, other: '{"mutation": "mutation {", "variables": NaN}'),
    ("process_graphql_mutation_async", "payload", lambda me, other: "[" * 5000),
    ("process_graphql_mutation_async", "payload", lambda me, other: '{"mutation": "mutation { a }", "variables": []}'),
    ("process_graphql_mutation_async", "payload", lambda me, other: "9" * 5000),
    ("process_graphql_mutation_async", "payload", lambda me, other: '{"mutation": "\\ud800"}'),
    ("process_graphql_mutation_async", "payload", lambda me, other: '{"mutation": "mutation { a\\u0000 }"}'),
    ("send_ticket_email", "event", lambda me, other: "deleted"),
    ("send_ticket_email", "event", lambda me, other: ""),
    ("alert_sendmail", "event", lambda me, other: "fire"),
    ("send_email_notification_for_sla_vendor", "wom_id", lambda me, other: str(other.a_score.uuid)),
    ("send_email_notification_for_sla_vendor", "wom_id", lambda me, other: "7"),
    ("send_email_notification_for_sla_report", "slaid", lambda me, other: other.a_score.pk),
    ("send_email_notification_for_sla_report", "slaid", lambda me, other: me.a_permit.pk),
    ("send_email_notification_for_sla_report", "slaid", lambda me, other: 987654321),
    *(
        (name, argument, change)
        for name, argument in [
            ("send_email_notification_for_workpermit_approval", "womid"),
            ("send_email_notification_for_wp_verifier", "womid"),
            ("send_email_notification_for_wp_from_mobile_for_verifier", "womid"),
            ("send_email_notification_for_wp", "womid"),
            ("send_email_notification_for_vendor_and_security_of_wp_cancellation", "wom_id"),
            ("send_email_notification_for_vendor_and_security_for_rwp", "wom_id"),
            ("send_email_notification_for_vendor_and_security_after_approval", "wom_id"),
        ]
        for change in (
            lambda me, other: other.a_permit.pk,
            lambda me, other: me.a_score.pk,
            lambda me, other: 987654321,
            lambda me, other: 1,
        )
    ),
    ("send_email_notification_for_workpermit_approval", "client_id", lambda me, other: other.id),
    ("send_email_notification_for_wp_verifier", "client_id", lambda me, other: other.id),
    ("send_email_notification_for_wp", "client_id", lambda me, other: other.id),
    ("send_email_notification_for_wp", "bu_id", lambda me, other: other.place.pk),
    ("send_email_notification_for_wp_verifier", "verifiers", lambda me, other: ["nobody"]),
    ("send_email_notification_for_wp", "approvers", lambda me, other: ["nobody", "x" * 10_000]),
    ("send_generated_report_onfly_email", "filepath", lambda me, other: "/etc/passwd"),
    ("send_generated_report_onfly_email", "filepath", lambda me, other: me.a_file + "/../../../etc/passwd"),
    ("send_generated_report_onfly_email", "filepath", lambda me, other: ""),
    ("send_generated_report_onfly_email", "filepath", lambda me, other: "x" * 10_000),
    ("send_generated_report_onfly_email", "filepath", lambda me, other: other.a_file),
    ("send_generated_report_onfly_email", "to", lambda me, other: []),
    ("send_generated_report_onfly_email", "to", lambda me, other: ["nobody", "a@b@c", "x" * 5000]),
    ("create_save_report_async", "client_id", lambda me, other: other.id),
    ("create_save_report_async", "user_id", lambda me, other: other.staff["V1"].pk),
    ("create_save_report_async", "user_id", lambda me, other: 987654321),
    *(
        ("create_save_report_async", "formdata", asked_for(**more))
        for more in (
            {"report_name": "NOSUCHREPORT"},
            {"report_name": ""},
            {"report_name": 5},
            {"report_name": None},
            {"report_name": []},
            {"format": "exe"},
            {"format": 5},
            {"format": []},
            {"export_type": "PRINT"},
            {"export_type": {}},
            {"site": 987654321},
            {"site": "abc"},
            {"site": [1, 2]},
            {"site": 1.5},
            {"site": None},
            {"site": 2**70},
            {"sitegroup": 987654321},
            {"fromdate": "2025-02-30"},
            {"fromdate": "yesterday"},
            {"fromdate": 20250303},
            {"fromdate": ""},
            {"fromdate": "2025-03-04"},
            {"fromdate": "0001-01-01"},
            {"fromdate": "2025-01-01"},
            {"uptodate": "9999-12-31"},
            {"fromdate": "9999-12-31", "uptodate": "9999-12-31"},
            {"fromdate": "0001-01-01", "uptodate": "0001-01-02"},
            {"uptodate": "99999-12-31"},
            {"uptodate": []},
            {"ctzoffset": "IST"},
            {"ctzoffset": 10**9},
            {"ctzoffset": 1.5},
            {"ctzoffset": []},
            {"export_type": "SEND"},
            {"export_type": "SEND", "to_addr": []},
            {"export_type": "SEND", "to_addr": ["nobody"]},
            {"export_type": "SEND", "to_addr": {"a": 1}},
            {"export_type": "SEND", "to_addr": [5]},
        )
    ),
    ("create_save_report_async", "formdata", lambda me, other: me.report_form(site=other.place.pk)),
    ("create_save_report_async", "formdata", lambda me, other: {}),
    ("send_report_on_email", "json_report", lambda me, other: ""),
    ("send_report_on_email", "json_report", lambda me, other: "{}"),
    ("send_report_on_email", "json_report", lambda me, other: "[1]"),
    ("send_report_on_email", "json_report", lambda me, other: '{"report": 5}'),
    ("send_report_on_email", "json_report", lambda me, other: '{"report": "%%%"}'),
    ("send_report_on_email", "json_report", lambda me, other: '{"report": ""}'),
    ("send_report_on_email", "json_report", lambda me, other: "[" * 5000),
    ("send_report_on_email", "formdata", lambda me, other: me.report_form(to_addr=[])),
    ("send_report_on_email", "formdata", lambda me, other: me.report_form(to_addr=["nobody"])),
    ("send_report_on_email", "formdata", lambda me, other: {}),
    ("create_report_history", "userid", lambda me, other: other.staff["V1"].pk),
    ("create_report_history", "userid", lambda me, other: 987654321),
    ("create_report_history", "buid", lambda me, other: other.place.pk),
    ("create_report_history", "buid", lambda me, other: 987654321),
    ("create_report_history", "client_id", lambda me, other: other.id),
    ("create_report_history", "EI", lambda me, other: [None]),
    ("create_report_history", "EI", lambda me, other: [1, 2, 3]),
    ("create_report_history", "EI", lambda me, other: []),
    ("move_media_to_cloud_storage", "skip_days", lambda me, other: 60),  # no bucket is configured
    ("cleanup_reports_which_are_12hrs_old", "dir_path", lambda me, other: "/"),
    ("cleanup_reports_which_are_12hrs_old", "dir_path", lambda me, other: "/etc"),
    ("cleanup_reports_which_are_12hrs_old", "dir_path", lambda me, other: "../../etc"),
    ("cleanup_reports_which_are_12hrs_old", "dir_path", lambda me, other: ""),
    ("cleanup_reports_which_are_12hrs_old", "dir_path", lambda me, other: "x" * 10_000),
    ("publish_mqtt", "topic", lambda me, other: ""),
    ("publish_mqtt", "topic", lambda me, other: "#"),
    ("publish_mqtt", "topic", lambda me, other: "a/+/b"),
    ("publish_mqtt", "topic", lambda me, other: "x" * 70_000),
    ("publish_mqtt", "payload", lambda me, other: ""),
    ("publish_mqtt", "payload", lambda me, other: "{"),
    ("publish_mqtt", "payload", lambda me, other: '{"n": NaN}'),
    ("publish_mqtt", "payload", lambda me, other: "[" * 5000),
    ("insert_json_records_async", "tablename", lambda me, other: "people"),
    ("insert_json_records_async", "tablename", lambda me, other: ""),
    ("insert_json_records_async", "tablename", lambda me, other: "tracking; DROP TABLE people"),
    ("insert_json_records_async", "records", lambda me, other: []),
    ("insert_json_records_async", "records", lambda me, other: ["{", "[]", "5", "null", '{"uuid": 5}']),
    ("insert_json_records_async", "records", lambda me, other: ["[" * 5000]),
    ("insert_json_records_async", "records", lambda me, other: ['{"uuid": "\\ud800"}', '{"uuid": "\\u0000"}']),
    ("process_graphql_download_async", "payload", lambda me, other: ""),
    ("process_graphql_download_async", "payload", lambda me, other: "{}"),
    ("process_graphql_download_async", "payload", lambda me, other: "[]"),
    ("process_graphql_download_async", "payload", lambda me, other: '{"query": ""}'),
    ("process_graphql_download_async", "payload", lambda me, other: '{"query": "mutation { insertRecord }"}'),
    ("process_graphql_download_async", "payload", lambda me, other: '{"query": "{ nothing }"}'),
    ("process_graphql_download_async", "payload", lambda me, other: "[" * 5000),
    *(
        ("send_mismatch_notification", "mismatch_data", change)
        for change in (
            lambda me, other: {},
            lambda me, other: {**me.call("send_mismatch_notification")["mismatch_data"], "side": "up"},
            lambda me, other: {**me.call("send_mismatch_notification")["mismatch_data"], "pel_uuid": "x"},
            lambda me, other: {**me.call("send_mismatch_notification")["mismatch_data"], "pel_uuid": None},
            lambda me, other: {**me.call("send_mismatch_notification")["mismatch_data"], "people_id": "abc"},
            lambda me, other: {**me.call("send_mismatch_notification")["mismatch_data"], "client_id": other.id},
            lambda me, other: {**me.call("send_mismatch_notification")["mismatch_data"], "distance": "far"},
            lambda me, other: {**me.call("send_mismatch_notification")["mismatch_data"], "threshold": []},
            lambda me, other: {**me.call("send_mismatch_notification")["mismatch_data"], "at": "yesterday"},
            lambda me, other: {**me.call("send_mismatch_notification")["mismatch_data"], "at": 5},
            lambda me, other: {**other.call("send_mismatch_notification")["mismatch_data"]},
        )
    ),
]


@pytest.mark.parametrize("name", sorted({name for name, _, _ in MEANT_BADLY}))
def test_a_value_that_fits_and_cannot_be_meant_is_bad_input_at_the_first_attempt(
    acme: Estate, globex: Estate, name: str
) -> None:
    call = acme.call(name)
    changes = [(argument, change(acme, globex)) for task, argument, change in MEANT_BADLY if task == name]

    looks = [Look(f"{argument}={value!r:.200}", {**call, argument: value}) for argument, value in changes]

    assert accepted(acme, name, looks) == []


WAITED_FOR = [("send_ticket_email", "a_ticket"), ("alert_sendmail", "visit")]


@pytest.mark.parametrize(("name", "thing"), WAITED_FOR)
@pytest.mark.parametrize("whose", ["nobody", "globex"])
def test_what_may_not_be_committed_yet_is_waited_for_twice_and_then_bad_input(
    acme: Estate, globex: Estate, name: str, thing: str, whose: str
) -> None:
    call = {**acme.call(name), "id": 987654321 if whose == "nobody" else getattr(globex, thing).pk}
    before = everything()

    with tenant(acme.id):
        result = registry.get(name).enqueue(**call)
    for _ in range(4):
        run_jobs()
        Job.objects.filter(pk=result.id, status="todo").update(scheduled_at=None)

    attempts = TaskExecutionHistory.objects.of_job(int(result.id)).values_list("outcome", "error_class")
    assert list(attempts) == [("retry", "youtility_tasks.errors.NotReady")] * 2 + [
        ("bad_input", "youtility_tasks.errors.BadInput")
    ]
    assert everything() == before


# -- what is looked at


def everything() -> list[tuple[str, int, str]]:
    """Each table of the company and of the catalogue, and the ledger: how many rows, and a digest of them all."""
    with connection.cursor() as cursor:
        if not cursor.execute("SELECT 1 FROM pg_prepared_statements WHERE name = 'everything'").fetchone():
            models = [*apps.get_app_config("facility").get_models(), *apps.get_app_config("task_catalog").get_models()]
            tables = sorted(
                {*(model._meta.db_table for model in models), "youtility_tasks_taskeffect", "django_session"}
            )
            one = "SELECT '{0}', count(*), coalesce(md5(string_agg(t::text, '|' ORDER BY t::text)), '') FROM {0} t"
            # Hundreds of looks are taken, and to plan one takes longer than to take it.
            cursor.execute("PREPARE everything AS " + " UNION ALL ".join(one.format(table) for table in tables))
        return list(cursor.execute("EXECUTE everything").fetchall())


@dataclass(frozen=True)
class Look:
    """A call that must be refused."""

    label: str
    call: dict[str, Any]
    says: str = ""
    """What the error must say."""


def accepted(acme: Estate, name: str, looks: list[Look]) -> list[str]:
    """Those of the calls that were not refused as they should be, and what became of them."""
    before = everything()
    found = []
    for look in looks:
        with undone():
            flaw = what_became_of(acme, name, look)
            if not flaw and everything() != before:
                flaw = f"it wrote: {[new[0] for new, old in zip(everything(), before, strict=True) if new != old]}"
            if flaw:
                found.append(f"{look.label}: {flaw}")
    return found


def what_became_of(acme: Estate, name: str, look: Look) -> str:
    """Nothing to say of a call that is refused where it is made, or whose job is a dead letter after one attempt."""
    task = registry.get(name)
    try:
        with tenant(acme.id):
            result = task.enqueue(**look.call)
    except errors.EnqueueError as error:
        return "" if name in str(error) and not Job.objects.exists() else f"refused by {error!r}"
    run_jobs(task.queue_name)

    attempts = list(TaskExecutionHistory.objects.of_job(int(result.id)))
    if [each.outcome for each in attempts] != ["bad_input"]:
        last = attempts[-1]
        return f"{[each.outcome for each in attempts]} {last.error_class} {last.error_message:.300} {last.result}"
    (attempt,) = attempts
    if len(attempt.error_message) < 20 or look.says not in attempt.error_message:
        return f"told only: {attempt.error_message}"
    if Job.objects.get(pk=result.id).args != look.call:
        return "its arguments were lost"
    return ""


@pytest.fixture(autouse=True)
def nobody_is_told(db: None) -> Iterator[None]:
    """Notices of failures are another test's."""
    told = list(on_final_failure)
    on_final_failure.clear()
    yield
    on_final_failure.extend(told)
