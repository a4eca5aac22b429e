"""On what people have set: limits, roles, weights, the audit log; and on the tables of the workers."""

from __future__ import annotations

import contextlib

from psycopg import errors

from tests.tenancy.ground import A, House

from .rows import reads_without_a_tenant
from .ways import CONTROL, OF_THE_HOUSE, REFUSED, SET_BY_PEOPLE, refused, set_by_people


def meddles_with_what_people_set(house: House, part: str) -> None:
    with set_by_people(house):
        reads_without_a_tenant(house, part)
        of_b = [house.rows(f"SELECT t::text FROM {table} t ORDER BY 1") for table in SET_BY_PEOPLE]
        (job_of_b, event) = house.rows(
            "SELECT j.id, e.id FROM procrastinate_jobs j JOIN procrastinate_events e ON e.job_id = j.id WHERE j.tenant_id = 8"
        )[0]
        with house.connect(part, A) as session:
            own = {job_id for (job_id,) in session.execute("SELECT id FROM procrastinate_jobs").fetchall()} | {A}
            for table, column in SET_BY_PEOPLE.items():
                found = {key for (key,) in session.execute(f"SELECT {column} FROM {table}").fetchall()}
                assert found and found <= own, f"{table}: {found}"
            for statement in (
                "UPDATE youtility_tasks_queuecontrol SET reason = 'hacked', is_paused = true",
                "UPDATE youtility_tasks_tenantmembership SET role = 'admin'",
                "DELETE FROM youtility_tasks_tenantmembership",
            ):
                with contextlib.suppress(*REFUSED), session.transaction():
                    assert session.execute(statement).rowcount == 1, statement
            for statement in (
                "UPDATE youtility_tasks_queuecontrol SET tenant_id = 8, queue_name = 'reports'",
                "UPDATE youtility_tasks_queuecontrol SET tenant_id = NULL, queue_name = 'reports'",
                f"INSERT INTO youtility_tasks_queuecontrol ({CONTROL}) VALUES ('reports', '', 8, 1, false, '', '', '')",
                f"INSERT INTO youtility_tasks_queuecontrol ({CONTROL}) VALUES ('reports', '', NULL, 1, false, '', '', '')",
                "INSERT INTO youtility_tasks_tenantmembership (tenant_id, user_id, role, created_at) SELECT 8, id, 'admin', now() FROM auth_user",
                "UPDATE youtility_tasks_tenantmembership SET tenant_id = 8",
                f"INSERT INTO procrastinate_events (job_id, type) VALUES ({job_of_b}, 'deferred')",
                f"INSERT INTO procrastinate_events (id, job_id, type) SELECT {event}, min(id), 'deferred' FROM procrastinate_jobs",
            ):
                try:
                    with session.transaction(force_rollback=True):
                        # A row that has gone by now, or is not his to change, is nothing to be moved.
                        assert session.execute(statement).rowcount == 0, statement
                except REFUSED:
                    continue
                except errors.UniqueViolation as told:
                    raise AssertionError("it tells what there is") from told
            session.rollback()
        assert [house.rows(f"SELECT t::text FROM {table} t ORDER BY 1") for table in SET_BY_PEOPLE] == of_b


def reaches_for_the_house(house: House, part: str) -> None:
    with house.connect(part, A) as session:
        for table, column in OF_THE_HOUSE.items():
            for statement in (
                f"SELECT 1 FROM {table}",
                f"INSERT INTO {table} DEFAULT VALUES",
                f"UPDATE {table} SET {column} = DEFAULT",
                f"DELETE FROM {table}",
                f"TRUNCATE {table} CASCADE",
            ):
                with refused(session):
                    session.execute(statement)


def says_how_much_it_is_worth(house: House, part: str) -> None:
    """A tenant's share beside others, and whether it works at all, are for operators."""
    with house.connect(part, A) as session:
        for change in ("weight = 32767", "is_active = true", "deactivated_at = NULL", "deactivated_reason = ''"):
            with refused(session):
                session.execute(f"UPDATE youtility_tasks_tenant SET {change}")


def writes_yesterdays_acts(house: House, part: str) -> None:
    new = "INSERT INTO youtility_tasks_taskauditlog (actor, act, target, tenant_id, reason, at) VALUES ('', '', '', 7, '', {at})"
    with house.connect(part, A) as session:
        for at in ("now() - interval '1 day'", "now() + interval '1 minute'", "'infinity'", "'-infinity'"):
            with refused(session):
                session.execute(new.format(at=at))
        session.execute(new.format(at="statement_timestamp()"))
        for statement in (
            new.format(at="DEFAULT").replace(" 7,", " 8,"),
            new.format(at="DEFAULT").replace(" 7,", " NULL,"),
            "DELETE FROM youtility_tasks_taskauditlog",
            "UPDATE youtility_tasks_taskauditlog SET actor = 'somebody else'",
        ):
            with refused(session):
                session.execute(statement)
