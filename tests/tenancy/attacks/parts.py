"""By the parts that see every tenant: each sees no more than its work needs."""

from __future__ import annotations

from tests.tenancy.ground import A, B, House

from .ways import KEPT_APART, SET_BY_PEOPLE, refused, set_by_people


def the_worker_goes_beyond_the_queue(house: House, part: str = "worker") -> None:
    with house.connect("worker") as session:
        session.autocommit = False
        assert session.execute("SELECT count(DISTINCT tenant_id) FROM procrastinate_jobs").fetchone() == (2,)
        for statement in (
            "UPDATE procrastinate_jobs SET tenant_id = 7 WHERE status = 'failed'",
            "UPDATE procrastinate_jobs SET args = '{}'",
            "UPDATE procrastinate_jobs SET task_name = 'other'",
            "INSERT INTO procrastinate_jobs (queue_name, task_name, tenant_id) VALUES ('email', 't', 8)",
            "SELECT * FROM youtility_tasks_history",
            "DELETE FROM youtility_tasks_history",
            "SELECT * FROM youtility_tasks_taskeffect",
            "SELECT * FROM youtility_tasks_tenant",
            "SELECT * FROM youtility_tasks_keys",
            "SELECT * FROM auth_user",
            "SELECT * FROM django_session",
            "SELECT * FROM ticket",
            "SELECT * FROM youtility_tasks_cancel_v1('{1}', 'todo', '', NULL)",
            f'SET ROLE "{house.group("owner")}"',
        ):
            with refused(session):
                session.execute(statement)


def an_operator_reads_what_is_the_tenants(house: House, part: str = "ops") -> None:
    with house.connect("ops") as session:
        session.autocommit = False
        for statement in (
            "SELECT id, task_name, status, tenant_id FROM procrastinate_jobs",
            "SELECT job_id, outcome, error_class, tenant_id FROM youtility_tasks_history",
            "SELECT status, tenant_id FROM youtility_tasks_taskeffect",
        ):
            assert {row[-1] for row in session.execute(statement)} == {A, B}
        for statement in (
            "SELECT args FROM procrastinate_jobs",
            "SELECT * FROM procrastinate_jobs",
            "SELECT j FROM procrastinate_jobs j",
            "SELECT result FROM youtility_tasks_history",
            "SELECT args FROM youtility_tasks_history",
            "SELECT output FROM youtility_tasks_history",
            "SELECT error_message FROM youtility_tasks_history",
            "SELECT traceback FROM youtility_tasks_history",
            "SELECT payload FROM youtility_tasks_taskeffect",
            "SELECT key FROM youtility_tasks_taskeffect",
            "SELECT * FROM ticket",
            "SELECT * FROM youtility_tasks_keys",
            "DELETE FROM procrastinate_jobs",
            "UPDATE procrastinate_jobs SET status = 'todo'",
            "INSERT INTO procrastinate_jobs (queue_name, task_name, tenant_id) VALUES ('email', 't', 8)",
        ):
            with refused(session):
                session.execute(statement)


def the_exporter_sees_rows(house: House, part: str = "exporter") -> None:
    with house.connect("exporter") as session:
        session.autocommit = False
        assert session.execute("SELECT sum(todo), sum(failed) FROM youtility_tasks_queue_sums_v1()").fetchone() == (
            2,
            2,
        )
        for table in (*KEPT_APART, "youtility_tasks_keys", "youtility_tasks_taskworker", "auth_user", "ticket"):
            with refused(session):
                session.execute(f"SELECT 1 FROM {table}")


def the_owner_looks_around(house: House, part: str = "owner") -> None:
    """FORCE: who owns a table sees none of it either, outside the functions that he lends his rights to."""
    partition = "youtility_tasks_history_default"
    with set_by_people(house), house.connect() as session:
        session.autocommit = False
        for table in (*KEPT_APART, *SET_BY_PEOPLE, partition):
            assert session.execute(f"SELECT count(*) FROM {table}").fetchone() != (0,), table
            for owner in {house.group("owner"), *house.owners(table)}:
                with session.transaction(force_rollback=True):
                    session.execute(f'ALTER TABLE {table} OWNER TO "{owner}"')
                    session.execute(f'SET LOCAL ROLE "{owner}"')
                    assert session.execute(f"SELECT count(*) FROM {table}").fetchone() == (0,), f"{table} to {owner}"
