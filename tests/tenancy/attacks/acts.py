"""Through functions that run with their owner's rights: what the policies would refuse, asked of those whom they do not bind."""

from __future__ import annotations

import json
from typing import Any

from psycopg import errors

from tests.tenancy.ground import A, B, House

from .ways import REFUSED, refused

_STEP: dict[str, Any] = {
    "run": 0, "name": "a", "kind": "task", "needs_all": True, "edge_count": 0, "task_name": "t", "queue_name": "email", "priority": 5,
    "args": {},
}  # fmt: skip
_FAN = {"kind": "fan_out", "args": {}}
WRONG_STEPS: tuple[dict[str, Any], ...] = (
    {"lock": "8:lock-todo"},
    {"lock": "7:" + "x" * 2_200},
    {"priority": 11},
    {"priority": 2**31 - 1},
    *({"run_after": at} for at in ("infinity", "-infinity", "20000-01-01", "0044-03-15 BC")),
    {"wait_s": 1e300},
    {"wait_s": 1e12},
    {"wait_s": -1e12},
    {"kind": "signal", "timeout_s": 1e300},
    {"queue_name": "q" * 100},
    {"edge_count": -(2**31)},
    {"args": 5},
    {"only_if": {"$ref": "result", "step": "a", "path": 5}},
    {**_FAN, "over": {"$ref": "result", "step": "a", "path": "x"}},
    {**_FAN, "over": {"list": [{"args": {}, "lock": "7:mine"}, {"args": {}, "lock": "8:lock-todo"}]}},
    {**_FAN, "over": {"list": [{"args": {}, "lock": "7:" + "x" * 2_200}]}},
    {**_FAN, "over": {"list": [{}]}},
    {**_FAN, "args": None, "over": {"$ref": "context", "path": []}},
)
"""Steps that take what is another's, stand before everybody, or fail in the statement that ends the job before them."""
WRONG_RUNS: tuple[dict[str, Any], ...] = ({"deadline_s": 1e300}, {"step_count": 2**31 - 1})


def flow(step: dict[str, Any], run: dict[str, Any] | None = None) -> str:
    """A run of two steps, the second of which is this one."""
    second = {**_STEP, "name": "b", "edge_count": 1, **step}
    return json.dumps(
        {
            "runs": [{"name": "x", "step_count": 2, **(run or {})}],
            "context": [],
            "steps": [_STEP, second],
            "edges": [{"run": 0, "parent": "a", "child": "b", "kind": "completion"}],
        }
    )


def starts_what_cannot_go_on(house: House, part: str) -> None:
    start = "SELECT workflow_id FROM youtility_tasks_flow_start_v1(%s::jsonb, 7, true)"
    with house.connect(part, A) as session:
        for text in (*map(flow, WRONG_STEPS), *(flow({}, run) for run in WRONG_RUNS)):
            with refused(session):
                session.execute(start, [text])
        session.execute(start, [flow({"lock": "7:mine", "wait_s": 60, "run_after": "2100-01-01", "priority": 10})])
        listed = {"list": [{"args": {"n": 1}, "lock": "7:mine"}, {"args": {}, "lock": None}]}
        session.execute(start, [flow({**_FAN, "over": listed})])


def redrives_into_the_locks_of_another(house: House, part: str) -> None:
    """By its arguments given anew, which may bring other locks; a key that B holds must not be told from one that nobody does."""
    house.rows("UPDATE procrastinate_jobs SET queueing_lock = '8:key' WHERE tenant_id = %s AND status = 'todo'", B)
    ((mine, was),) = house.rows(
        "SELECT id, args::text FROM procrastinate_jobs WHERE tenant_id = 7 AND status = 'failed'"
    )
    call = (
        "SELECT * FROM youtility_tasks_redrive_v1(%s, '{0}', ARRAY['{}'], ARRAY[%s], ARRAY[%s], ARRAY[%s], now(), 0, 7)"
    )
    try:
        with house.connect(part, A) as session:
            for lock, queueing_lock in (("8:lock-todo", None), (None, "8:key"), (None, "8:none"), (None, "7")):
                with refused(session):
                    session.execute(call, [[mine], was, lock, queueing_lock])
            session.execute(call, [[mine], was, "7:mine", "7:mine"])
    except errors.UniqueViolation as told:
        raise AssertionError("it tells what B holds") from told
    finally:
        house.rows("UPDATE procrastinate_jobs SET queueing_lock = NULL WHERE tenant_id = %s", B)


def comes_due_at_no_time(house: House, part: str) -> None:
    house.rows("UPDATE procrastinate_jobs SET scheduled_at = '2100-01-01' WHERE tenant_id = 7 AND status = 'todo'")
    ids = {
        status: job_id
        for status, job_id in house.rows("SELECT status::text, id FROM procrastinate_jobs WHERE tenant_id = 7")
    }
    calls = {
        "youtility_tasks_run_now_v1({ids}, {at}, {spacing}, 7)": ids["todo"],
        "youtility_tasks_redrive_v1({ids}, '{{0}}', ARRAY[NULL], ARRAY[NULL], ARRAY[NULL], ARRAY[NULL], {at}, {spacing}, 7)": ids[
            "failed"
        ],
    }
    try:
        with house.connect(part, A) as session:
            for call, job_id in calls.items():
                its = f"ARRAY[{job_id}::bigint]"
                for at, spacing in (
                    ("'infinity'", "0"), ("'-infinity'", "0"), ("'20000-01-01'", "0"), ("'0044-03-15 BC'", "0"), ("NULL", "0"),
                    ("now()", "'NaN'"), ("now()", "1e12"), ("now()", "-1"),
                ):  # fmt: skip
                    with refused(session):
                        session.execute(f"SELECT * FROM {call.format(ids=its, at=at, spacing=spacing)}")
                done = session.execute(f"SELECT * FROM {call.format(ids=its, at='now()', spacing='1')}").fetchall()
                assert len(done) == 1, call
    finally:
        house.rows("UPDATE procrastinate_jobs SET scheduled_at = NULL WHERE tenant_id = 7 AND status = 'todo'")


def uses_up_the_requests_of_another(house: House, part: str) -> None:
    """Who calls the API is counted under his token's number, which anybody can guess."""
    take = "SELECT youtility_tasks_api_take_v1('token:1', %s, %s)"
    try:
        with house.connect(part, A) as session:
            session.execute(take, [1e-9, 1])
            session.commit()
        with house.connect("web") as session:
            for _ in range(2):
                row = session.execute(take, [10, 50]).fetchone()
                assert row is not None and row[0] < 1, f"another's token waits for {row}"
    except errors.InsufficientPrivilege:
        assert part == "task"
    finally:
        house.rows("DELETE FROM youtility_tasks_apiallowance")


_NEW = {
    "tenantmembership": "(tenant_id, user_id, role, created_at) SELECT 7, id, 'viewer', {at} FROM auth_user",
    "savedview": "(tenant_id, user_key, name, query, created_at) VALUES (7, '1', 'n', '', {at})",
    "workflowtemplate": "(tenant_id, name, version, definition, created_at) VALUES (7, 'n', 1, '{{}}', {at})",
    "scheduleholiday": "(tenant_id, day, name) VALUES (7, ({at})::date, 'n')",
    "taskeffect": "(tenant_id, key, status, task_name, note, lease_until) VALUES (7, 'z', 'pending', 't', '', {at})",
    "uniquekey": "(tenant_id, task_name, key, job_id, held_until) VALUES (7, 't', 'k', 1, {at})",
    "taskoperation": "(tenant_id, act, filter, reason, started_by, started_at, newest_id, done_count, refused_count, refused, after_id, is_stopped)"
    " VALUES (7, 'retry', '{{}}', '', '', {at}, 9, 0, 0, '[]', 0, false)",
    "scheduledtask": "(tenant_id, name, task_name, args, tick_argument, queue_name, kind, cron, zone, days, working_weekdays, jitter_s, missed,"
    " missed_most, grace_s, overlap, is_paused, paused_by, pause_reason, live_jobs, version, changed_by, next_at) VALUES (7, 'n', 't', '{{}}',"
    " '', '', 'cron', '* * * * *', '', 'every_day', '12345', 0, 'latest', 1, 60, 'allow', false, '', '', '[]', 1, '', {at})",
}


def writes_what_nobody_can_read(house: House, part: str) -> None:
    """One row of A's with such an instant, and a page over all tenants fails for its operator."""
    ((someone,),) = house.rows(
        "INSERT INTO auth_user (username, password, is_superuser, first_name, last_name, email, is_staff, is_active, date_joined)"
        " VALUES ('unreadable', '', false, '', '', '', false, true, now()) RETURNING id"
    )
    try:
        with house.connect(part, A) as session:
            for table, row in _NEW.items():
                for at in ("'infinity'::timestamptz", "'-infinity'::timestamptz", "'20000-01-01'::timestamptz"):
                    with refused(session, *REFUSED, errors.CheckViolation):
                        session.execute(f"INSERT INTO youtility_tasks_{table} {row.format(at=at)}")
                if (part, table) != ("task", "tenantmembership"):
                    with session.transaction(force_rollback=True):
                        session.execute(f"INSERT INTO youtility_tasks_{table} {row.format(at='now()')}")
    finally:
        house.rows("DELETE FROM auth_user WHERE id = %s", someone)
