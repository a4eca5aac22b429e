"""On the guards themselves: tokens, keys, roles, policies, the names that functions look up."""

from __future__ import annotations

import contextlib

import psycopg
from psycopg import errors

from tests.tenancy.ground import A, B, House, become

from .ways import allowed_temporary, everything_of_b, refused


def forges_a_token(house: House, part: str) -> None:
    own = house.token(A)
    version, key, _, until, signature = own.split(".")
    for text in (
        f"{version}.{key}.8.{until}.{signature}",
        f"{version}.{key}.8.{until}.{'0' * 64}",
        f"{version}.x' OR true --.8.{until}.{signature}",
        house.token(B, life_s=-2),
        "8",
    ):
        with house.connect(part) as session:
            session.autocommit = False
            become(session, text)
            with refused(session):
                session.execute("SELECT * FROM procrastinate_jobs")
    with house.connect(part, A) as session:
        session.execute("SET LOCAL youtility_tasks.tenant = '8'")
        session.execute("SET LOCAL search_path = pg_catalog, public, pg_temp")
        assert session.execute("SELECT count(*) FROM procrastinate_jobs WHERE tenant_id <> 7").fetchone() == (0,)


def becomes_another_role(house: House, part: str) -> None:
    with house.connect(part, A) as session:
        for group in ("worker", "ops", "owner"):
            with refused(session):
                session.execute(f'SET ROLE "{house.group(group)}"')
        for login in ("worker", "ops"):
            with refused(session):
                session.execute(f'SET ROLE "{house.login(login)}"')
            with refused(session):
                session.execute(f'SET SESSION AUTHORIZATION "{house.login(login)}"')
        with refused(session):
            session.execute(f'GRANT "{house.group("owner")}" TO "{house.login(part)}"')


def switches_the_guards_off(house: House, part: str) -> None:
    with house.connect(part, A) as session:
        for statement in (
            "ALTER TABLE procrastinate_jobs DISABLE ROW LEVEL SECURITY",
            "ALTER TABLE youtility_tasks_history NO FORCE ROW LEVEL SECURITY",
            "DROP POLICY yt_own ON procrastinate_jobs",
            "CREATE POLICY mine ON procrastinate_jobs USING (true)",
            "CREATE TRIGGER mine BEFORE INSERT ON procrastinate_jobs FOR EACH ROW EXECUTE FUNCTION youtility_tasks_wake_v1()",
            "CREATE VIEW mine AS SELECT * FROM procrastinate_jobs",
            "CREATE TABLE public.mine (id integer)",
            "CREATE OR REPLACE FUNCTION youtility_tasks_tenant_v1() RETURNS integer LANGUAGE sql AS 'SELECT 8'",
            "ALTER FUNCTION youtility_tasks_tenant_v1() SECURITY INVOKER",
        ):
            with refused(session):
                session.execute(statement)
        with refused(session):  # asked to do without row security, PostgreSQL refuses rather than shows
            session.execute("SET LOCAL row_security = off")
            session.execute("SELECT * FROM procrastinate_jobs")


def reads_the_keys(house: House, part: str) -> None:
    with house.connect(part, A) as session:
        for statement in (
            "SELECT * FROM youtility_tasks_keys",
            "SELECT count(*) FROM youtility_tasks_keys",
            "INSERT INTO youtility_tasks_keys (id, inner_pad, outer_pad) VALUES ('00000000', repeat('6', 64)::bytea, repeat('6', 64)::bytea)",
            "COPY youtility_tasks_keys TO STDOUT",
            "UPDATE youtility_tasks_keys SET inner_pad = repeat('6', 64)::bytea",
            "DELETE FROM youtility_tasks_keys",
        ):
            with refused(session):
                session.execute(statement)


def stands_in_for_tables(house: House, part: str) -> None:
    """Tables of the attacker's own, under the names that functions with their owner's rights read."""
    before = everything_of_b(house)
    with allowed_temporary(house, part), house.connect(part) as session:
        session.autocommit = False
        session.execute("CREATE TEMP TABLE youtility_tasks_keys (id text, inner_pad bytea, outer_pad bytea)")
        session.execute(
            "INSERT INTO youtility_tasks_keys VALUES ('00000000', decode(repeat('36', 64), 'hex'), decode(repeat('5c', 64), 'hex'))"
        )
        session.execute("GRANT ALL ON youtility_tasks_keys TO PUBLIC")
        session.execute("SET LOCAL search_path = pg_temp, public")
        said = "v1.00000000.8.99999999999"
        session.execute(
            "SELECT set_config('youtility_tasks.token', %s || '.' || encode(sha256(decode(repeat('5c', 64), 'hex')"
            " || sha256(decode(repeat('36', 64), 'hex') || convert_to(%s, 'UTF8'))), 'hex'), true)",
            [said, said],
        )
        with refused(session):
            session.execute("SELECT * FROM public.procrastinate_jobs")
    assert everything_of_b(house) == before


def leaves_a_table_behind(house: House, part: str) -> None:
    """A server's session serves one tenant after the other, and what stands in pg_temp is met before the real table."""
    with psycopg.connect(house.conninfo(part)) as session:
        become(session, house.token(A))
        with contextlib.suppress(errors.InsufficientPrivilege):
            session.execute("CREATE TEMP TABLE procrastinate_jobs (LIKE public.procrastinate_jobs INCLUDING DEFAULTS)")
            session.commit()
        session.rollback()
        become(session, house.token(B))
        session.execute(
            "SELECT youtility_tasks_enqueue_one_v1('email', 't', 5, NULL, NULL, '{\"secret\": \"of Bolt\"}', NULL, NULL, 8, false)"
        )
        here = session.execute("SELECT 'procrastinate_jobs'::regclass = 'public.procrastinate_jobs'::regclass")
        assert here.fetchone() == (True,), "B's job went to a table of A's"
        session.rollback()


def calls_what_is_not_for_him(house: House, part: str) -> None:
    with house.connect(part, A) as session:
        for call in (
            "cleanup_old_tasks('{\"days\": 0}')",
            "youtility_tasks_add_history_day_v1('2020-01-01')",
            "youtility_tasks_drop_history_day_v1('2020-01-01')",
            "youtility_tasks_history_gaps_v1(now(), 1, 1)",
            "youtility_tasks_queue_sums_v1()",
            "youtility_tasks_any_tenant_v1()",
            "youtility_tasks_stop_stragglers_v1(now())",
            "youtility_tasks_sealed_keys_v1()",
            "youtility_tasks_forget_control_v1(1)",
            "youtility_tasks_unpark_v1('email', 1, 1)",
            "youtility_tasks_scope_v1(8)",
            "youtility_tasks_claim_v2('email', 1, 1)",
            "youtility_tasks_pump_v4(1, '', NULL, 'email', 1)",
            "youtility_tasks_rescue_all_v1(0, 0, 1)",
            "procrastinate_fetch_job_v2(NULL, NULL)",
        ):
            with refused(session):
                session.execute(f"SELECT * FROM {call}")
        found = session.execute("SELECT sum(todo), sum(failed) FROM get_queue_statistics()").fetchone()
        assert found == (1, 1), "he may ask for the numbers of all queues, and has those of his own jobs"
