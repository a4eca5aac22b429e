"""On the queue: jobs for another tenant, in its way, before everybody, and acts on its jobs."""

from __future__ import annotations

import contextlib

import psycopg
from psycopg import errors

from tests.tenancy.ground import A, B, House

from .ways import CONTROL, OWN_CONTROL, REFUSED, everything_of_b, refused


def enqueues_for_another(house: House, part: str) -> None:
    one = "SELECT * FROM youtility_tasks_enqueue_one_v1('email', 't', 5, NULL, NULL, '{}', NULL, NULL, 8, false)"
    many = (
        "SELECT * FROM youtility_tasks_enqueue_v1(ARRAY['email'], ARRAY['t'], ARRAY[5], ARRAY[NULL]::text[], ARRAY[NULL]::text[],"
        " ARRAY['{}'], ARRAY[NULL]::timestamptz[], ARRAY[NULL]::text[], ARRAY[8], false)"
    )
    plain = "INSERT INTO procrastinate_jobs (queue_name, task_name, tenant_id, noted) VALUES ('email', 't', 8, false)"
    before = house.rows("SELECT count(*) FROM procrastinate_jobs")
    with house.connect(part, A) as session:
        with refused(session):
            session.execute(plain)
        for statement in (one, many):
            with session.transaction():
                # B is nobody that A knows, so that the functions say so and write nothing
                assert session.execute(statement).fetchall()[0][-2:] == (False, False)
        session.commit()
    assert house.rows("SELECT count(*) FROM procrastinate_jobs") == before


def enqueues_for_nobody(house: House, part: str) -> None:
    with house.connect(part) as session, refused(session):
        session.execute("INSERT INTO procrastinate_jobs (queue_name, task_name, noted) VALUES ('email', 't', false)")


def takes_the_locks_of_another(house: House, part: str) -> None:
    with house.connect(part, A) as session:
        for column in ("lock", "queueing_lock"):
            with refused(session):
                session.execute(
                    f"INSERT INTO procrastinate_jobs (queue_name, task_name, tenant_id, {column}) VALUES ('email', 't', 7, '8:key')"
                )
            session.execute(
                f"INSERT INTO procrastinate_jobs (queue_name, task_name, tenant_id, {column}) VALUES ('email', 't', 7, '7:key')"
            )


def takes_ids_that_others_will_draw(house: House, part: str) -> None:
    with house.connect(part, A) as session:
        for statement in (
            "INSERT INTO procrastinate_jobs (id, queue_name, task_name, tenant_id, noted)"
            " SELECT pg_sequence_last_value('procrastinate_jobs_id_seq') + 1, 'email', 't', 7, false",
            "INSERT INTO youtility_tasks_tenantmembership (id, tenant_id, user_id, role, created_at) VALUES (1000000, 7, 1, 'viewer', now())",
            "UPDATE youtility_tasks_tenantmembership SET id = 1000000",
            "SELECT setval('procrastinate_jobs_id_seq', 1)",
            "SELECT last_value FROM procrastinate_jobs_id_seq",
            "INSERT INTO youtility_tasks_taskeffect (id, tenant_id, key, status, task_name, note) VALUES (1000000, 7, 'x', 'pending', '', '')",
            "UPDATE youtility_tasks_taskeffect SET id = 1000000",
            f"INSERT INTO youtility_tasks_queuecontrol (id, {CONTROL}) VALUES (1000000, {OWN_CONTROL})",
            "UPDATE youtility_tasks_queuecontrol SET id = 1000000",
            "INSERT INTO youtility_tasks_taskauditlog (id, actor, act, target, tenant_id, reason) VALUES (1000000, '', '', '', 7, '')",
        ):
            with refused(session):
                session.execute(statement)


def acts_on_jobs_of_another(house: House, part: str) -> None:
    before = everything_of_b(house)
    all_ids = [job_id for (job_id,) in house.rows("SELECT id FROM procrastinate_jobs")]
    calls = {
        "youtility_tasks_cancel_v1(%(ids)s, 'todo', '', %(tenant)s)": 1,
        "youtility_tasks_cancel_v1(%(ids)s, 'failed', '', %(tenant)s)": 1,
        "youtility_tasks_abort_v1(%(ids)s, %(tenant)s)": 0,
        "youtility_tasks_retry_v1(%(ids)s, %(tenant)s)": 1,
        "youtility_tasks_redrive_v1(%(ids)s, array_fill(0::bigint, ARRAY[100]), array_fill('{}'::text, ARRAY[100]),"
        " array_fill('{\"secret\": \"of Acme\"}'::text, ARRAY[100]), '{}', '{}', now(), 0, %(tenant)s)": 1,
    }
    with house.connect(part, A) as session:
        session.execute("SET LOCAL search_path = pg_catalog, public, pg_temp")
        for call, own in calls.items():
            with session.transaction(force_rollback=True):
                done = session.execute(f"SELECT tenant_id FROM {call}", {"ids": all_ids, "tenant": None}).fetchall()
                assert done == [(A,)] * own, call
            with refused(session):
                session.execute(f"SELECT tenant_id FROM {call}", {"ids": all_ids, "tenant": B})
    with house.connect(part) as session:
        session.autocommit = False
        for call in calls:
            for tenant in (None, B):
                with refused(session):
                    session.execute(f"SELECT tenant_id FROM {call}", {"ids": all_ids, "tenant": tenant})
    assert everything_of_b(house) == before


def stops_every_claim(house: House, part: str) -> None:
    """What A sets for its own jobs is part of the claim that would take B's."""
    numbers = ("'NaN'", "'Infinity'", "'-Infinity'", "1e-320", "1e-300", "1e300", "0", "-1")
    tries = [(name, value) for name in ("tokens", "burst", "rate_per_s") for value in numbers]
    tries.append(("max_running", "2147483647"))
    tries += [
        (name, value)
        for name in ("paused_until", "refilled_at", "paused_at", "changed_at")
        for value in ("'infinity'", "'-infinity'", "'20000-01-01'", "'0044-03-15 BC'")
    ]
    house.rows(f"INSERT INTO youtility_tasks_queuecontrol ({CONTROL}, rate_per_s) VALUES ({OWN_CONTROL}, 1)")
    try:
        for name, value in tries:
            with contextlib.suppress(*REFUSED, errors.CheckViolation), house.connect(part, A) as session:
                paused = ", is_paused = true, max_running = 1" if name == "paused_until" else ""
                session.execute(f"UPDATE youtility_tasks_queuecontrol SET {name} = {value}{paused}")
                session.commit()
            with house.connect("worker") as session:
                session.autocommit = False
                (worker,) = session.execute(
                    "SELECT worker_id FROM youtility_tasks_register_v2('h', 1, NULL, 'email', 4, '', '{}', 10, 3)"
                ).fetchall()[0]
                try:
                    claimed = session.execute(
                        "SELECT tenant_id FROM youtility_tasks_pump_v4(%s, 'h', NULL, 'email', 10)", [worker]
                    ).fetchall()
                except psycopg.Error as error:
                    raise AssertionError(f"{name} = {value} stops the claim: {error}") from error
                assert (B,) in claimed, f"{name} = {value} keeps B's job"
                session.rollback()
            with house.connect("ops") as session:
                try:
                    session.execute("SELECT * FROM youtility_tasks_queuecontrol").fetchall()
                except psycopg.DataError as error:
                    raise AssertionError(f"{name} = {value} cannot be read by anybody") from error
    finally:
        house.rows("DELETE FROM youtility_tasks_queuecontrol")


def sets_more_than_a_claim_can_lock(house: House, part: str) -> None:
    """Each control is a lock of every claim in its queue, and the server has so many for all."""
    many = (
        f"INSERT INTO youtility_tasks_queuecontrol ({CONTROL})"
        " SELECT '', g::text, 7, 1, false, '', '', '' FROM generate_series(1, {n}) g"
    )
    with house.connect(part, A) as session:
        with refused(session, *REFUSED, errors.CheckViolation):
            session.execute(many.format(n=201))
        if part == "web":
            with session.transaction(force_rollback=True):
                session.execute(many.format(n=200))
                again = "ON CONFLICT (queue_name, task_name, tenant_id) DO UPDATE SET burst = 2"
                session.execute(f"{many.format(n=200)} {again}")
                with refused(session, errors.CheckViolation):
                    session.execute(f"INSERT INTO youtility_tasks_queuecontrol ({CONTROL}) VALUES ({OWN_CONTROL})")
        for table in ("procrastinate_jobs", "youtility_tasks_queuecontrol", "youtility_tasks_tenant"):
            with refused(session):  # and who locks the whole table stops them as well
                session.execute(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE")


def pushes_in(house: House, part: str) -> None:
    """A job that stands before the most urgent one of everybody, or that no client can read."""
    new = "INSERT INTO procrastinate_jobs (queue_name, task_name, tenant_id, noted, {name}) VALUES ('email', 't', 7, false, {value})"
    tries = [("priority", "11"), ("priority", "2147483647")]
    tries += [("scheduled_at", value) for value in ("'infinity'", "'-infinity'", "'20000-01-01'", "'0044-03-15 BC'")]
    with house.connect(part, A) as session:
        for name, value in tries:
            with refused(session):
                session.execute(new.format(name=name, value=value))
        session.execute(new.format(name="priority", value=10))
        session.execute(new.format(name="scheduled_at", value="'2100-01-01'"))
