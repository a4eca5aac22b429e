"""What somebody with SQL in the session of tenant A tries; each attack fails by an assertion where it gets anywhere.

They are functions, so that the same ones run against a house as it should be and against houses that lack one guard.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

import psycopg
from psycopg import errors

from tests.tenancy.ground import A, B, Connection, House, become

Attack = Callable[[House, str], None]
"""`attack(house, part)`: as "web" or "task"."""

KEPT_APART = {
    "procrastinate_jobs": "tenant_id",
    "youtility_tasks_history": "tenant_id",
    "youtility_tasks_taskeffect": "tenant_id",
    "youtility_tasks_tenant": "id",
}
CONTROL = "queue_name, task_name, tenant_id, burst, is_paused, paused_by, reason, changed_by"
OWN_CONTROL = "'email', '', 7, 1, false, '', '', ''"
SET_BY_PEOPLE = {
    "youtility_tasks_queuecontrol": "tenant_id",
    "youtility_tasks_taskauditlog": "tenant_id",
    "youtility_tasks_tenantmembership": "tenant_id",
    "procrastinate_events": "job_id",
}
"""Tables that a house is furnished without; `set_by_people` puts a row of each tenant into them for the length of a block."""
REFUSED = (errors.InsufficientPrivilege, errors.FeatureNotSupported)


@contextlib.contextmanager
def refused(connection: Connection, *kinds: type[psycopg.Error]) -> Iterator[None]:
    """The block's statement is refused, and the transaction goes on."""
    try:
        with connection.transaction(force_rollback=True):
            yield
    except kinds or REFUSED as error:  # noqa: B030
        assert "Bolt" not in str(error), f"the refusal tells something of B: {error}"
        return
    raise AssertionError("it was let through")


@contextlib.contextmanager
def allowed_temporary(house: House, part: str) -> Iterator[None]:
    """As where a database's owner has handed it out: the outer wall is gone, and what stands behind it must hold."""
    login = house.login(part)
    house.rows(f'GRANT TEMPORARY ON DATABASE {house.name} TO "{login}"')
    try:
        yield
    finally:
        house.rows(f'REVOKE TEMPORARY ON DATABASE {house.name} FROM "{login}"')


@contextlib.contextmanager
def set_by_people(house: House) -> Iterator[None]:
    """A control, an act, a membership and an event of each tenant."""
    house.rows("INSERT INTO auth_user (id, username, password, is_superuser, is_staff, is_active, first_name, last_name, email, date_joined)"
               " VALUES (99, 'somebody', '', false, false, true, '', '', '', now())")  # fmt: skip
    for tenant in (A, B):
        own = OWN_CONTROL.replace("7", str(tenant))
        house.rows(f"INSERT INTO youtility_tasks_queuecontrol ({CONTROL}) VALUES ({own})")
        act = "INSERT INTO youtility_tasks_taskauditlog (actor, act, target, tenant_id, reason) VALUES ('', '', '', %s, '')"
        house.rows(act, tenant)
        member = "INSERT INTO youtility_tasks_tenantmembership (tenant_id, user_id, role, created_at) VALUES (%s, 99, 'viewer', now())"
        house.rows(member, tenant)
        house.rows(
            "INSERT INTO procrastinate_events (job_id, type) SELECT min(id), 'deferred' FROM procrastinate_jobs WHERE tenant_id = %s",
            tenant,
        )
    try:
        yield
    finally:
        for table in ("queuecontrol", "tenantmembership"):
            house.rows(f"DELETE FROM youtility_tasks_{table}")
        house.rows("TRUNCATE youtility_tasks_taskauditlog")
        house.rows("DELETE FROM procrastinate_events")
        house.rows("DELETE FROM auth_user WHERE id = 99")


def everything_of_b(house: House) -> list[object]:
    return [
        house.rows(f"SELECT md5(array_agg(t ORDER BY t::text)::text) FROM {table} t WHERE {column} = %s", B)
        for table, column in KEPT_APART.items()
    ]


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
        "SELECT count(*) FROM pg_stats WHERE tablename = 'procrastinate_jobs' AND most_common_vals::text LIKE '%Bolt%'",
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


def asks_by_trying_which_ids_there_are(house: House, part: str) -> None:
    """What is said of an id that another's job has must be what is said of one that nobody has."""
    (of_b,) = house.rows("SELECT min(id) FROM procrastinate_jobs WHERE tenant_id = 8")[0]
    (free,) = house.rows("SELECT nextval('procrastinate_jobs_id_seq')")[0]
    with house.connect(part, A) as session:
        answers = set()
        for job_id in (of_b, free):
            try:
                with session.transaction(force_rollback=True):
                    statement = "INSERT INTO procrastinate_jobs (id, queue_name, task_name, tenant_id, noted) VALUES (%s, 'email', 't', 7, false)"
                    answers.add(session.execute(statement, [job_id]).statusmessage)
            except psycopg.Error as error:
                answers.add(error.sqlstate)
    assert len(answers) == 1, answers


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


def listens(house: House, part: str) -> None:
    """Everybody hears every channel: nothing that is said there tells one job from another."""
    (job_id,) = house.rows(
        "INSERT INTO procrastinate_jobs (queue_name, task_name, status, tenant_id, noted) VALUES ('email', 't', 'doing', 8, false) RETURNING id"
    )[0]
    try:
        with house.connect(part) as session:
            session.execute('LISTEN procrastinate_any_queue_v1; LISTEN "procrastinate_queue_v1#email"')
            with house.connect("web", B) as other:
                other.execute(
                    "SELECT youtility_tasks_enqueue_one_v1('email', 't', 5, NULL, NULL, '{}', NULL, 'heard', 8, false)"
                )
                other.execute("SELECT youtility_tasks_abort_v1(%s, 8)", [[job_id]])
                other.commit()
            heard = {each.payload for each in session.notifies(timeout=5, stop_after=2)}
            heard |= {each.payload for each in session.notifies(timeout=0.2)}
    finally:
        house.rows("DELETE FROM procrastinate_jobs WHERE id = %s OR unique_key = 'heard'", job_id)
    said = {f'{{"type": "{kind}", "job_id": 0}}' for kind in ("job_inserted", "abort_job_requested")}
    assert heard == said, heard


def learns_of_keys(house: House, part: str) -> None:
    """B has this effect key and this unique key too: neither may be in A's way, or tell him so."""
    with house.connect(part, A) as session:
        session.execute("DELETE FROM youtility_tasks_taskeffect")
        try:
            session.execute(
                "INSERT INTO youtility_tasks_taskeffect (tenant_id, key, status, task_name, note) VALUES (7, 'same key', 'pending', '', '')"
            )
        except errors.UniqueViolation as told:
            raise AssertionError("the key of another is in the way") from told
        (written,) = session.execute(
            "SELECT is_written FROM youtility_tasks_enqueue_one_v1('email', 't', 5, NULL, NULL, '{}', NULL, 'kfailed', 7, false)"
        ).fetchall()
        assert written == (True,)


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


def acts_on_jobs_of_another(house: House, part: str) -> None:
    before = everything_of_b(house)
    all_ids = [job_id for (job_id,) in house.rows("SELECT id FROM procrastinate_jobs")]
    calls = {
        "youtility_tasks_cancel_v1(%(ids)s, 'todo', '', %(tenant)s)": 1,
        "youtility_tasks_cancel_v1(%(ids)s, 'failed', '', %(tenant)s)": 1,
        "youtility_tasks_abort_v1(%(ids)s, %(tenant)s)": 0,
        "youtility_tasks_retry_v1(%(ids)s, %(tenant)s)": 1,
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


OF_THE_HOUSE = {
    "youtility_tasks_taskworker": "status",
    "youtility_tasks_queuecounter": "value",
    "youtility_tasks_upkeepduty": "done_count",
    "procrastinate_workers": "last_heartbeat",
    "procrastinate_periodic_defers": "job_id",
}
"""Tables without a tenant that only workers write -> a column of each."""


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


def empties_tables(house: House, part: str) -> None:
    """TRUNCATE asks no policy."""
    with house.connect(part, A) as session:
        for table in (*KEPT_APART, *SET_BY_PEOPLE, "youtility_tasks_history_default", "youtility_tasks_keys"):
            with refused(session):
                session.execute(f"TRUNCATE {table} CASCADE")


def says_how_much_it_is_worth(house: House, part: str) -> None:
    """A tenant's share beside others, and whether it works at all, are for operators."""
    with house.connect(part, A) as session:
        for change in ("weight = 32767", "is_active = true", "deactivated_at = NULL", "deactivated_reason = ''"):
            with refused(session):
                session.execute(f"UPDATE youtility_tasks_tenant SET {change}")


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


AS_TENANT: tuple[Attack, ...] = (
    reads,
    reads_without_a_tenant,
    reads_as_a_sweep,
    reads_in_a_roundabout_way,
    copies_out,
    copies_in,
    looks_through_a_function,
    divides_by_zero,
    changes_rows,
    moves_rows,
    enqueues_for_another,
    enqueues_for_nobody,
    takes_the_locks_of_another,
    takes_ids_that_others_will_draw,
    asks_by_trying_which_ids_there_are,
    leaves_a_table_behind,
    listens,
    learns_of_keys,
    forges_a_token,
    becomes_another_role,
    switches_the_guards_off,
    reads_the_keys,
    stands_in_for_tables,
    calls_what_is_not_for_him,
    acts_on_jobs_of_another,
    meddles_with_what_people_set,
    empties_tables,
    reaches_for_the_house,
    says_how_much_it_is_worth,
    stops_every_claim,
    sets_more_than_a_claim_can_lock,
    pushes_in,
    writes_yesterdays_acts,
    keeps_a_plan,
    goes_back_to_a_savepoint,
)


# -- the parts that see every tenant


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


ACROSS_TENANTS: tuple[Attack, ...] = (
    the_worker_goes_beyond_the_queue,
    an_operator_reads_what_is_the_tenants,
    the_exporter_sees_rows,
    the_owner_looks_around,
)
