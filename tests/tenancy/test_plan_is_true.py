"""The plan and the database agree; whatever in the database differs is found, told and, where SQL can, repaired."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests import warm
from tests.conftest import Cluster
from tests.tenancy.attacks import AS_TENANT
from tests.tenancy.ground import A, House, furnish
from youtility_tasks.conf import PARTS
from youtility_tasks.doctor import safety
from youtility_tasks.errors import ConfigurationError, TenantsNotApart
from youtility_tasks.tenancy import apply, check, plan

pytestmark = pytest.mark.usefixtures("django_db_setup", "unblocked")

REPOSITORY = Path(__file__).resolve().parents[2]

WITHOUT_A_TENANT = {
    *("procrastinate_workers", "procrastinate_periodic_defers", "django_migrations"),
    *(
        "youtility_tasks_apiallowance",
        "youtility_tasks_bridgeroute",
        "youtility_tasks_keys",
        "youtility_tasks_offer",
        "youtility_tasks_owed",
        "youtility_tasks_metricsmark",
        "youtility_tasks_metricstotal",
        "youtility_tasks_queuecounter",
        "youtility_tasks_snapshotmark",
        "youtility_tasks_taskworker",
        "youtility_tasks_upkeepduty",
        "youtility_tasks_workerheartbeat",
    ),
    *("django_admin_log", "django_content_type", "django_session"),
    *(
        "auth_group",
        "auth_group_permissions",
        "auth_permission",
        "auth_user",
        "auth_user_groups",
        "auth_user_user_permissions",
    ),
    *("task_catalog_heartbeat", "task_catalog_playedclock"),
    "tenants_tenant",  # the facility application's own idea of tenants, which nobody reads: closed to all parts
}
"""Every table that is not kept apart, by name: one that is new and has no policy is on neither list."""
NAMES_OF_A_TENANT = ("tenant_id", "client_id")


@pytest.fixture
def unblocked(django_db_blocker: Any) -> Iterator[None]:
    with django_db_blocker.unblock():
        yield


def told(house: House, **more: Any) -> list[str]:
    """All differences but the one of a table that is closed on purpose."""
    with house.settled(**more):
        found = check.differences(plan.plan(), as_migrator=True)
    return [each.says for each in found if "tenants_tenant" not in each.says]


# -- the catalogue, asked without our own check


def test_every_table_is_kept_apart_or_known_to_have_no_tenant(shared_house: House) -> None:
    protected = {
        name
        for name, has_rls, is_forced, policy_count in shared_house.rows(
            "SELECT c.relname, c.relrowsecurity, c.relforcerowsecurity, (SELECT count(*) FROM pg_policy p WHERE p.polrelid = c.oid)"
            "  FROM pg_class c WHERE c.relkind IN ('r', 'p') AND c.relnamespace = 'public'::regnamespace"
        )
        if has_rls and is_forced and policy_count
    }
    tables = {
        name
        for (name,) in shared_house.rows(
            "SELECT relname FROM pg_class WHERE relkind IN ('r', 'p') AND relnamespace = 'public'::regnamespace"
        )
    }
    assert tables - protected == WITHOUT_A_TENANT
    named = shared_house.rows(
        "SELECT DISTINCT table_name FROM information_schema.columns WHERE table_schema = 'public' AND column_name = ANY (%s)",
        list(NAMES_OF_A_TENANT),
    )
    assert {name for (name,) in named} <= protected


def test_policies_are_for_roles_by_name_and_every_right_is_a_groups(shared_house: House) -> None:
    groups = {shared_house.group(part) for part in (*PARTS, "owner")}
    policies = shared_house.rows(
        "SELECT tablename, policyname, roles::text[] FROM pg_policies WHERE schemaname = 'public'"
    )
    assert policies and all(set(names) <= groups for _, _, names in policies)
    holders = shared_house.rows(
        "SELECT DISTINCT grantee FROM information_schema.role_table_grants WHERE table_schema = 'public' AND grantee <> 'youtility'"
    )
    assert {name for (name,) in holders} <= groups
    assert shared_house.rows("SELECT * FROM pg_default_acl") == []


def test_unique_keys_begin_with_the_tenant_and_no_reference_crosses_it(shared_house: House) -> None:
    """But for procrastinate's two locks, whose values a policy makes begin with the tenant, and ids that a sequence draws."""
    found = shared_house.rows(
        "SELECT i.relname, (SELECT a.attname FROM pg_attribute a WHERE a.attrelid = x.indrelid AND a.attnum = x.indkey[0])"
        "  FROM pg_index x JOIN pg_class i ON i.oid = x.indexrelid JOIN pg_class c ON c.oid = x.indrelid"
        " WHERE x.indisunique AND NOT x.indisprimary AND c.relkind IN ('r', 'p') AND NOT c.relispartition"
        "   AND c.relname IN ('procrastinate_jobs', 'youtility_tasks_history', 'youtility_tasks_taskeffect', 'youtility_tasks_tenant', 'youtility_tasks_tenantmembership', 'youtility_tasks_uniquekey')"
    )
    others = {name for name, first in found if first != "tenant_id"}
    assert others == {"procrastinate_jobs_queueing_lock_idx_v1", "procrastinate_jobs_lock_idx_v1"}


def test_functions_with_their_owners_rights_have_fixed_surroundings(shared_house: House) -> None:
    found = shared_house.rows(
        "SELECT p.proname, p.proconfig, r.rolname, r.rolsuper, r.rolcanlogin FROM pg_proc p JOIN pg_roles r ON r.oid = p.proowner"
        " WHERE p.prosecdef AND p.pronamespace = 'public'::regnamespace"
    )
    assert {name for name, *_ in found} == set(plan.plan().definers)
    for name, config, owner, is_superuser, can_login in found:
        assert "search_path=pg_catalog, public, pg_temp" in config, name
        assert (owner, is_superuser, can_login) == (shared_house.group("owner"), False, False), name


def test_there_is_no_view_that_shows_its_owners_rows(shared_house: House) -> None:
    assert (
        shared_house.rows(
            "SELECT relname FROM pg_class WHERE relkind IN ('v', 'm') AND relnamespace = 'public'::regnamespace"
        )
        == []
    )


# -- our own check


def test_what_was_made_is_as_planned_and_making_it_again_changes_nothing(house: House) -> None:
    assert told(house) == []
    with house.settled():
        again = apply.make_true()
    assert (again.done, again.for_the_dba) == ([], [])


SPOILED = {
    "ALTER TABLE procrastinate_jobs NO FORCE ROW LEVEL SECURITY": "does not bind its owner",
    "ALTER TABLE ticket DISABLE ROW LEVEL SECURITY": "ticket has no row level security",
    "ALTER TABLE youtility_tasks_history_default DISABLE ROW LEVEL SECURITY": "youtility_tasks_history_default has no row level",
    "ALTER POLICY yt_own ON procrastinate_jobs USING (true)": "the policy yt_own of procrastinate_jobs is not the planned one",
    "ALTER POLICY yt_own ON ticket USING (client_id > 0)": "the policy yt_own of ticket is not the planned one",
    "ALTER POLICY yt_own ON reminder USING (EXISTS (SELECT 1 FROM job p WHERE p.id = reminder.job_id))": "the policy yt_own of reminder",
    "ALTER POLICY yt_own_new ON procrastinate_jobs WITH CHECK (true)": "the policy yt_own_new of procrastinate_jobs",
    "ALTER POLICY yt_worker ON procrastinate_jobs TO public": "the policy yt_worker of procrastinate_jobs",
    "DROP POLICY yt_own ON youtility_tasks_taskeffect": "youtility_tasks_taskeffect lacks the policy yt_own",
    "CREATE POLICY yt_more ON procrastinate_jobs USING (true)": "has a policy yt_more that nobody planned",
    "GRANT UPDATE ON procrastinate_jobs TO {web}": "{web} has UPDATE on table procrastinate_jobs",
    "GRANT SELECT (args) ON procrastinate_jobs TO {ops}": "{ops} has SELECT on table procrastinate_jobs (args)",
    "GRANT SELECT ON youtility_tasks_keys TO PUBLIC": "public has SELECT on table youtility_tasks_keys",
    "GRANT SELECT ON procrastinate_jobs TO {login}": "{login} has SELECT on table procrastinate_jobs",
    "REVOKE INSERT (args) ON procrastinate_jobs FROM {web}": "{web} lacks INSERT on table procrastinate_jobs (args)",
    "REVOKE USAGE ON SEQUENCE procrastinate_jobs_id_seq FROM {web}": "{web} lacks USAGE on sequence procrastinate_jobs",
    "GRANT EXECUTE ON FUNCTION cleanup_old_tasks TO PUBLIC": "public has EXECUTE on function cleanup_old_tasks",
    "ALTER FUNCTION youtility_tasks_cancel_v1 SECURITY INVOKER": "youtility_tasks_cancel_v1 runs with its caller's rights",
    "ALTER FUNCTION youtility_tasks_claim_v2 SECURITY DEFINER": "youtility_tasks_claim_v2 runs with its owner's rights",
    "ALTER FUNCTION youtility_tasks_tenant_v1 OWNER TO youtility": "youtility_tasks_tenant_v1 belongs to youtility",
    "ALTER TABLE youtility_tasks_history OWNER TO youtility": "youtility_tasks_history belongs to youtility",
    "GRANT CREATE ON SCHEMA public TO {login}": "{login} may make objects in the schema public",
    "ALTER ROLE {login} CREATEDB": "{login}, the user of web, is CREATEDB",
    "ALTER ROLE {login} BYPASSRLS": "{login}, the user of web, is BYPASSRLS",
    "ALTER ROLE {web} LOGIN": "{web} can log in",
    "GRANT {worker} TO {login}": "{login} has the rights of {worker}",
    "GRANT {owner} TO {web}": "has the rights of {owner}",
    "REVOKE {web} FROM {login}": "{login} is no member of {web}",
    "GRANT TEMPORARY ON DATABASE {database} TO PUBLIC": "public may make temporary tables",
    "GRANT TEMPORARY ON DATABASE {database} TO {login}": "{login} may make temporary tables",
    "GRANT INSERT (id) ON procrastinate_jobs TO {web}": "{web} has INSERT on table procrastinate_jobs (id)",
}
"""What somebody does by hand -> how it is told. All of these are repaired by the next set-up."""


def filled(text: str, house: House) -> str:
    groups = {part: house.group(part) for part in (*PARTS, "owner")}
    return text.format(login=house.login("web"), database=house.name, **groups)


@pytest.mark.parametrize("statement", SPOILED)
def test_whatever_is_changed_by_hand_is_found_and_repaired(house: House, statement: str) -> None:
    house.rows(filled(statement, house))

    found = told(house)
    assert [each for each in found if filled(SPOILED[statement], house) in each], found
    with house.settled():
        refusal = safety.tenants_not_apart()
        assert isinstance(refusal, TenantsNotApart)
        apply.make_true()
    assert told(house) == []


LEFT_TO_PEOPLE = {
    "CREATE POLICY theirs ON procrastinate_jobs USING (true)": "has a policy theirs that nobody planned",
    "CREATE VIEW all_jobs AS SELECT * FROM procrastinate_jobs; GRANT SELECT ON all_jobs TO {web}": "the view all_jobs shows its owner's rows",
    "ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO {web}": "new tables give SELECT to {web}",
    "CREATE FUNCTION any_search_path() RETURNS int LANGUAGE sql SECURITY DEFINER AS 'SELECT 1'": "any_search_path() runs with its owner's",
    "CREATE TABLE of_the_web (id int); ALTER TABLE of_the_web OWNER TO {login}": "{login}, the user of web, owns the table of_the_web",
    "GRANT pg_read_all_data TO {login}": "{login} has the rights of pg_read_all_data",
    "ALTER FUNCTION youtility_tasks_tenant_v1 RESET search_path": "youtility_tasks_tenant_v1 has no fixed surroundings",
}


@pytest.mark.parametrize("statement", LEFT_TO_PEOPLE)
def test_what_sql_cannot_decide_is_told_and_stops_workers(house: House, statement: str) -> None:
    for one in filled(statement, house).split(";"):
        house.rows(one)

    with house.settled():
        left = apply.make_true().left
        assert [each for each in left if filled(LEFT_TO_PEOPLE[statement], house) in each], left
        assert safety.tenants_not_apart() is not None
    for login in ("web",):  # so that the role can be dropped
        house.rows(f'REASSIGN OWNED BY "{house.login(login)}" TO youtility')


@pytest.mark.parametrize(
    "setting",
    [
        "SET search_path = nowhere",
        "IN DATABASE {database} SET TimeZone = UTC",
        "SET row_security = off",
        "SET synchronous_commit = off",
    ],
)
def test_what_a_user_has_set_for_his_sessions_to_come_is_told_and_repaired(house: House, setting: str) -> None:
    """Any user may, and so may whoever has SQL in one of his sessions: it stays when that is over."""
    login, name = house.login("web"), setting.split()[-3]
    with house.connect("web", A) as session:
        session.execute(f'ALTER ROLE "{login}" {setting.format(database=house.name)}')
        session.execute(f"ALTER ROLE \"{login}\" SET statement_timeout = '5s'")
        session.commit()

    assert [each for each in told(house) if f"every session of {login} (web) begins with a {name} of its own" in each]
    with house.settled():
        assert safety.tenants_not_apart() is None, "or it would have kept all workers from starting"
        apply.make_true()
    assert told(house) == []
    kept = house.rows("SELECT setconfig FROM pg_db_role_setting WHERE setrole = %s::regrole", f'"{login}"')
    assert kept == [(["statement_timeout=5s"],)], "what an administrator may have meant stays"


def test_a_table_that_nobody_has_named_is_closed_and_told(house: House) -> None:
    house.rows("CREATE TABLE new_model (id integer, tenant_id integer)")

    assert [each for each in told(house) if each.startswith("the table new_model is closed")]
    with house.connect("web", A) as session, pytest.raises(Exception, match="permission denied"):
        session.execute("SELECT * FROM new_model")
    with house.settled(tenant_tables={"new_model": "tenant_id"}):
        apply.make_true()
    house.rows("INSERT INTO new_model VALUES (1, 7), (2, 8)")
    with house.connect("web", A) as session:
        assert session.execute("SELECT id FROM new_model").fetchall() == [(1,)]
    assert told(house, tenant_tables={"new_model": "tenant_id"}) == []


def test_the_days_that_are_made_later_are_as_closed_as_the_first(house: House) -> None:
    with house.connect("worker") as session:
        assert session.execute("SELECT youtility_tasks_add_history_day_v1('2031-01-01')").fetchone() == (0,)
    assert told(house) == []
    with house.connect("web", A) as session, pytest.raises(Exception, match="permission denied"):
        session.execute("SELECT * FROM youtility_tasks_history_20310101")


def test_a_new_key_takes_over_and_the_former_one_holds_until_it_is_retired(house: House) -> None:
    former = house.token(A)
    house.tenant_key = "another secret, as long as a secret has to be"
    with house.settled():
        assert apply.make_true().done == [f"key {house.key().id} was not installed"]
    for text in (former, house.token(A)):
        with house.connect("web") as session:
            session.autocommit = False
            session.execute("SELECT set_config('youtility_tasks.token', %s, true)", [text])
            assert session.execute("SELECT youtility_tasks_tenant_v1()").fetchone() == (A,)
    with house.settled():
        assert apply.make_true(retire_keys=True).done == ["former keys were still good"]
    with house.connect("web") as session, pytest.raises(Exception, match="not signed with a key"):
        session.autocommit = False
        session.execute("SELECT set_config('youtility_tasks.token', %s, true)", [former])
        session.execute("SELECT youtility_tasks_tenant_v1()")


@pytest.mark.parametrize(
    "declared",
    [
        {"a": 7},
        {"a": {"column": "x", "share": []}},
        {"a": {"column": "x", "shared": ["y"]}},
        {"a": {"column": "x; DROP TABLE y"}},
        {"a": "x; DROP TABLE y"},
        {"a": {"where": "true"}},
        {"procrastinate_jobs": "tenant_id"},
    ],
)
def test_a_table_that_is_declared_wrongly_is_refused(declared: Any, settings: Any) -> None:
    settings.YOUTILITY_TASKS = {"tenant_tables": declared}
    with pytest.raises(ConfigurationError, match="tenant_tables"):
        plan.plan()


# -- without a superuser, as on managed services


@pytest.fixture
def managed(cluster: Cluster) -> Iterator[House]:
    """An empty database that belongs to a migrator who is no superuser."""
    made = House(cluster, "")
    made.name = f"yt_managed_{made.prefix.rstrip('_')}"
    migrator = f"{made.prefix}migrator"
    cluster.run(f'CREATE ROLE "{migrator}" LOGIN')
    cluster.run(f'CREATE DATABASE {made.name} OWNER "{migrator}"')
    made.migrator = migrator
    yield made
    made.pull_down()
    cluster.run(f'DROP ROLE "{migrator}"')


@pytest.fixture(scope="module")
def humble(cluster: Cluster) -> Iterator[House]:
    """One that was migrated, and not set up, by somebody who may not do more than that takes: neither roles nor the database are his."""
    made = House(cluster, cluster.copy("template1"))
    made.migrator = f"{made.prefix}migrator"
    cluster.run(f'CREATE ROLE "{made.migrator}" LOGIN')
    may_migrate(made)
    made.rows(f'ALTER SCHEMA public OWNER TO "{made.migrator}"')
    migrated = manage(made, "migrate", "--verbosity", "0")
    assert migrated.returncode == 0, migrated.stderr
    yield made
    made.pull_down()
    cluster.run(f'DROP ROLE "{made.migrator}"')


@pytest.fixture
def migrated(humble: House) -> Iterator[House]:
    """A copy of that."""
    humble.eye.close()
    made = House(humble.cluster, humble.cluster.copy(humble.name))
    made.migrator = humble.migrator
    yield made
    made.pull_down()
    humble.cluster.run(f'ALTER ROLE "{made.migrator}" NOCREATEROLE')


def may_migrate(house: House) -> None:
    house.rows(f'GRANT CREATE ON DATABASE {house.name} TO "{house.migrator}"')


def set_up(house: House, *words: str) -> tuple[int, dict[str, Any]]:
    done = manage(house, "setup_task_queue", "--json", *words)
    assert done.stdout and "error" not in json.loads(done.stdout), done.stdout + done.stderr
    return done.returncode, json.loads(done.stdout)


def manage(house: House, *words: str) -> subprocess.CompletedProcess[str]:
    """A command by the one who migrates."""
    env = {
        **os.environ,
        "DATABASE_URL": house.url.replace("youtility@", f"{house.migrator}@"),
        "DJANGO_SETTINGS_MODULE": "tests.tenancy.settings",
        "TEST_SETTINGS": json.dumps(house.settings),
    }
    return warm.run([sys.executable, "-m", "django", *words], cwd=REPOSITORY, env=env, capture_output=True, text=True)


def test_a_migrator_who_may_make_roles_sets_everything_up(managed: House) -> None:
    managed.rows(f'ALTER ROLE "{managed.migrator}" CREATEROLE')

    code, document = set_up(managed)

    assert (code, document["ok"], document["tenants"]["for_the_dba"]) == (0, True, []), document
    assert set_up(managed, "--check")[0] == 0
    again = set_up(managed)[1]
    assert (again["applied"], again["tenants"]["changed"], again["history_days_made"]) == ([], [], 0)
    furnish(managed)
    for attack in AS_TENANT:
        attack(managed, "web")


def test_a_migrator_who_may_not_is_told_what_somebody_else_has_to_run(migrated: House) -> None:
    migrated.rows(f'ALTER DATABASE {migrated.name} OWNER TO "{migrated.migrator}"')

    code, document = set_up(migrated)

    assert code == 1
    by_hand = document["tenants"]["for_the_dba"]
    assert f'CREATE ROLE "{migrated.group("worker")}" NOLOGIN;' in by_hand
    assert not any("PASSWORD" in each for each in by_hand)

    for each in by_hand:
        migrated.rows(each)
    code, document = set_up(migrated)
    assert (code, document["ok"]) == (0, True), json.dumps(document)
    furnish(migrated)
    for attack in AS_TENANT:
        attack(migrated, "task")


def test_a_migrator_who_does_not_own_the_database_is_told_what_its_owner_has_to_run(migrated: House) -> None:
    """What others have granted he cannot take away, and PostgreSQL only warns."""
    migrated.rows(f'ALTER ROLE "{migrated.migrator}" CREATEROLE')
    may_migrate(migrated)

    code, document = set_up(migrated)

    (by_hand,) = document["tenants"]["for_the_dba"]
    assert (code, by_hand) == (1, f'REVOKE TEMPORARY ON DATABASE "{migrated.name}" FROM PUBLIC;')
    migrated.rows(by_hand)
    code, document = set_up(migrated)
    assert (code, document["ok"]) == (0, True), json.dumps(document)
