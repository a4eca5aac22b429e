"""On rows: another tenant's are read, copied, changed, moved."""

from __future__ import annotations

import psycopg

from tests.tenancy.ground import A, B, House, become

from .ways import KEPT_APART, SET_BY_PEOPLE, allowed_temporary, everything_of_b, refused


def reads(house: House, part: str) -> None:
    with house.connect(part, A) as session:
        for table, column in KEPT_APART.items():
            found = session.execute(f"SELECT {column}, count(*) FROM {table} GROUP BY 1").fetchall()
            assert [tenant for tenant, _ in found] == [A], f"{table}: {found}"
            assert session.execute(f"SELECT count(*) FROM {table} WHERE {column} = %s", [B]).fetchone() == (0,)


def reads_without_a_tenant(house: House, part: str) -> None:
    """Also on the search_path by which policies know functions that run with their owner's rights."""
    for path in ("public", "pg_catalog, public, pg_temp"):
        with house.connect(part) as session:
            session.execute(f"SET search_path TO {path}")
            for table in (*KEPT_APART, *SET_BY_PEOPLE):
                assert session.execute(f"SELECT count(*) FROM {table}").fetchone() == (0,), table


def reads_as_a_sweep(house: House, part: str) -> None:
    with house.connect(part, 0) as session:
        assert session.execute("SELECT array_agg(id ORDER BY id) FROM youtility_tasks_tenant").fetchone() == ([A, B],)
        for table in KEPT_APART.keys() - {"youtility_tasks_tenant"}:
            assert session.execute(f"SELECT count(*) FROM {table}").fetchone() == (0,), table


def reads_in_a_roundabout_way(house: House, part: str) -> None:
    ways = (
        "SELECT count(*) FROM procrastinate_jobs a JOIN procrastinate_jobs b ON b.tenant_id <> a.tenant_id",
        "WITH x AS MATERIALIZED (SELECT * FROM procrastinate_jobs) SELECT count(*) FROM x WHERE tenant_id <> 7",
        "SELECT count(*) FROM procrastinate_jobs WHERE tenant_id <> 7 OR true AND tenant_id = 8",
        "SELECT count(*) FROM ONLY procrastinate_jobs WHERE tenant_id = 8",
        "SELECT count(*) FROM procrastinate_jobs j, LATERAL (SELECT * FROM youtility_tasks_tenant t WHERE t.id = 8) l",
        "SELECT count(*) FROM youtility_tasks_history h FULL JOIN youtility_tasks_tenant t ON t.id = h.tenant_id WHERE h.tenant_id = 8 OR t.id = 8",
        "SELECT count(*) FROM procrastinate_events e JOIN procrastinate_jobs j ON j.id = e.job_id WHERE j.tenant_id = 8",
    )
    with house.connect(part, A) as session:
        for way in ways:
            assert session.execute(way).fetchone() == (0,), way


def copies_out(house: House, part: str) -> None:
    with house.connect(part, A) as session:
        for what in ("procrastinate_jobs", "(SELECT * FROM procrastinate_jobs)"):
            with session.cursor().copy(f"COPY {what} TO STDOUT") as copy:
                text = b"".join(bytes(each) for each in copy)
            assert b"Acme" in text and b"Bolt" not in text


def copies_in(house: House, part: str) -> None:
    statement = "COPY procrastinate_jobs (queue_name, task_name, tenant_id) FROM STDIN"
    with house.connect(part, A) as session, refused(session), session.cursor().copy(statement) as copy:
        copy.write(b"email\tt\t8\n")


def looks_through_a_function(house: House, part: str) -> None:
    """A function of the attacker's own in WHERE, as cheap as can be, must not meet a row before the policy has."""
    heard: list[str] = []
    with allowed_temporary(house, part), house.connect(part, A) as session:
        session.add_notice_handler(lambda notice: heard.append(notice.message_primary or ""))
        session.execute(
            "CREATE FUNCTION pg_temp.tell(anyelement) RETURNS boolean LANGUAGE plpgsql COST 0.0000001 AS "
            "$$ BEGIN RAISE NOTICE '%', $1; RETURN true; END $$"
        )
        for table in KEPT_APART.keys() - {"youtility_tasks_tenant"}:
            session.execute(f"SELECT count(*) FROM {table} t WHERE pg_temp.tell(t::text)")
    assert heard and not [line for line in heard if "Bolt" in line], heard


def divides_by_zero(house: House, part: str) -> None:
    with house.connect(part, A) as session:
        session.execute("SELECT count(*) FROM procrastinate_jobs WHERE 1 / (tenant_id - 8) <> 2")
        session.execute(
            "SELECT count(*) FROM procrastinate_jobs WHERE (args ->> 'secret') || '!' <> 'x' OR (args ->> 'none')::int = 1"
        )


def changes_rows(house: House, part: str) -> None:
    before = everything_of_b(house)
    with house.connect(part, A) as session:
        for statement in (
            "UPDATE procrastinate_jobs SET status = 'cancelled'",
            "UPDATE procrastinate_jobs SET tenant_id = 7 WHERE tenant_id = 8",
            "DELETE FROM procrastinate_jobs",
            "SELECT * FROM procrastinate_jobs FOR UPDATE",
            "UPDATE youtility_tasks_history SET args = NULL",
            "DELETE FROM youtility_tasks_history",
            "INSERT INTO youtility_tasks_history (job_id, task_name, queue_name, tenant_id, priority, attempt, claim_number,"
            " enqueued_at, finished_at, status, outcome, is_final)"
            " VALUES (1, 't', 'email', 7, 5, 1, 1, now(), now(), 'succeeded', 'succeeded', true)",
            "TRUNCATE procrastinate_jobs, procrastinate_events, procrastinate_periodic_defers",
            "TRUNCATE youtility_tasks_taskeffect",
            "DELETE FROM youtility_tasks_tenant",
            "SELECT * FROM youtility_tasks_history_default",
        ):
            with refused(session):
                session.execute(statement)
        for statement in (
            "UPDATE youtility_tasks_taskeffect SET note = 'hacked' WHERE tenant_id = 8",
            "DELETE FROM youtility_tasks_taskeffect WHERE tenant_id = 8",
        ):
            assert session.execute(statement).rowcount == 0, statement
        session.execute("UPDATE youtility_tasks_taskeffect SET note = 'mine'")
        session.execute("DELETE FROM youtility_tasks_taskeffect")
        session.commit()
    house.rows(
        "INSERT INTO youtility_tasks_taskeffect (tenant_id, key, status, task_name, note, done_at)"
        " VALUES (%s, 'same key', 'done', 't', '', now())",
        A,
    )
    assert everything_of_b(house) == before


def moves_rows(house: House, part: str) -> None:
    with house.connect(part, A) as session:
        with refused(session):
            session.execute("UPDATE youtility_tasks_taskeffect SET tenant_id = 8, key = 'moved'")
        with refused(session):
            session.execute(
                "INSERT INTO youtility_tasks_taskeffect (tenant_id, key, status, task_name, note) VALUES (8, 'x', 'pending', '', '')"
            )
        with refused(session):
            session.execute(
                "INSERT INTO youtility_tasks_tenant (id, name, is_active, weight, created_at) VALUES (9, 'x', true, 1, now())"
            )


def empties_tables(house: House, part: str) -> None:
    """TRUNCATE asks no policy."""
    with house.connect(part, A) as session:
        for table in (*KEPT_APART, *SET_BY_PEOPLE, "youtility_tasks_history_default", "youtility_tasks_keys"):
            with refused(session):
                session.execute(f"TRUNCATE {table} CASCADE")


def keeps_a_plan(house: House, part: str) -> None:
    """One prepared statement, as many executions as make PostgreSQL keep its plan, one tenant after the other."""
    with psycopg.connect(house.conninfo(part)) as session:
        for tenant in [A] * 12 + [B] + [A] * 3 + [0]:
            become(session, house.token(tenant))
            found = session.execute("SELECT tenant_id FROM procrastinate_jobs", prepare=True).fetchall()
            assert {row[0] for row in found} == {tenant} - {0}, f"as {tenant}: {found}"
            session.commit()
        assert session.execute("SELECT tenant_id FROM procrastinate_jobs", prepare=True).fetchall() == []


def goes_back_to_a_savepoint(house: House, part: str) -> None:
    """The tenant is what the transaction says at each moment, and nothing of it is left when it has ended."""
    with psycopg.connect(house.conninfo(part)) as session:

        def tenants() -> set[int]:
            return {row[0] for row in session.execute("SELECT tenant_id FROM procrastinate_jobs").fetchall()}

        become(session, house.token(A))
        session.execute("SAVEPOINT one")
        become(session, house.token(B))
        assert tenants() == {B}
        session.execute("ROLLBACK TO SAVEPOINT one")
        assert tenants() == {A}
        for end in (session.commit, session.rollback):
            become(session, house.token(A))
            assert tenants() == {A}
            end()
            assert tenants() == set()
            session.rollback()
