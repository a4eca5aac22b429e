"""Each guard is taken away once, and an attack gets through: the attacks are worth something, and so is each guard."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from tests.acceptance.crew import until
from tests.tenancy import attacks
from tests.tenancy.attacks.ways import KEPT_APART, OF_THE_HOUSE, SET_BY_PEOPLE, Attack, everything_of_b
from tests.tenancy.ground import ENTRY, A, House


@dataclass(frozen=True)
class Mutant:
    """What is taken away, the attack that then succeeds, and in whose session."""

    name: str
    sql: str
    attack: Attack
    part: str = "web"


def swap(function: str, guard: str, instead: str) -> str:
    """SQL that makes the function anew without a guard; fails if the guard is not in it."""
    return (
        "DO $m$ DECLARE was text := pg_get_functiondef((SELECT oid FROM pg_proc WHERE proname = '"
        + function
        + "')); BEGIN"
        " IF position($g$" + guard + "$g$ IN was) = 0 THEN RAISE 'the function has no such guard'; END IF;"
        " EXECUTE replace(was, $g$" + guard + "$g$, $g$" + instead + "$g$); END $m$"
    )


NO_SCOPE = swap(
    "youtility_tasks_scope_v1",
    "IF verified IS NOT NULL AND coalesce(p_tenant_id, verified) = verified THEN",
    "RETURN p_tenant_id; IF false THEN",
)
OWNER_SEES_ALL = "ALTER POLICY yt_owner ON procrastinate_jobs USING (true); ALTER POLICY yt_owner ON youtility_tasks_history USING (true)"

MUTANTS = (
    Mutant("FORCE dropped", "ALTER TABLE youtility_tasks_history NO FORCE ROW LEVEL SECURITY", attacks.the_owner_looks_around),
    Mutant("row security disabled", "ALTER TABLE youtility_tasks_taskeffect DISABLE ROW LEVEL SECURITY", attacks.reads),
    Mutant("USING (true)", "ALTER POLICY yt_own ON procrastinate_jobs USING (true)", attacks.reads),
    Mutant("USING (true), to a task", "ALTER POLICY yt_own ON procrastinate_jobs USING (true)", attacks.copies_out, "task"),
    Mutant("a policy for PUBLIC", "CREATE POLICY more ON youtility_tasks_history USING (true)", attacks.reads_without_a_tenant),
    Mutant("WITH CHECK (true)", "ALTER POLICY yt_own_new ON procrastinate_jobs WITH CHECK (true)", attacks.enqueues_for_nobody),
    Mutant(
        "locks without their tenant",
        "ALTER POLICY yt_own_new ON procrastinate_jobs WITH CHECK (tenant_id = (SELECT youtility_tasks_tenant_v1()))",
        attacks.takes_the_locks_of_another,
    ),
    Mutant("any id", "GRANT INSERT (id) ON procrastinate_jobs TO {web}", attacks.takes_ids_that_others_will_draw),
    Mutant("an id that another has", "GRANT INSERT (id) ON procrastinate_jobs TO {web}", attacks.asks_by_trying_which_ids_there_are),
    Mutant("any id of a membership", "GRANT INSERT (id) ON youtility_tasks_tenantmembership TO {web}", attacks.takes_ids_that_others_will_draw),
    Mutant("another id of a membership", "GRANT UPDATE ON youtility_tasks_tenantmembership TO {web}", attacks.takes_ids_that_others_will_draw),
    *(
        Mutant(f"NO FORCE on {table}", f"ALTER TABLE {table} NO FORCE ROW LEVEL SECURITY", attacks.the_owner_looks_around)
        for table in (*KEPT_APART, *SET_BY_PEOPLE, "youtility_tasks_history_default")
    ),
    *(
        Mutant(f"TRUNCATE on {table}", f"GRANT TRUNCATE ON {table} TO {{web}}", attacks.empties_tables)
        for table in (*KEPT_APART, *SET_BY_PEOPLE, "youtility_tasks_history_default")
        if table not in {"procrastinate_jobs", "youtility_tasks_tenant"}  # others refer to them: it takes the right on those, too
    ),
    *(
        Mutant(f"{policy} of {table} for everybody", f"ALTER POLICY {policy} ON {table} TO PUBLIC", attacks.reads_without_a_tenant)
        for table, policy in (
            ("procrastinate_jobs", "yt_owner"), ("youtility_tasks_history", "yt_owner"), ("youtility_tasks_tenant", "yt_owner"),
        )
    ),
    *(
        Mutant(f"{policy} of {table}", f"ALTER POLICY {policy} ON {table} {instead}", attacks.meddles_with_what_people_set)
        for table, policy, instead in (
            ("procrastinate_events", "yt_own", "USING (true)"),
            ("procrastinate_events", "yt_own_new", "WITH CHECK (true)"),
            ("procrastinate_events", "yt_worker", "TO PUBLIC"),
            ("procrastinate_events", "yt_owner", "TO PUBLIC"),
            ("youtility_tasks_queuecontrol", "yt_own", "USING (true)"),
            ("youtility_tasks_queuecontrol", "yt_own_changed", "USING (true)"),
            ("youtility_tasks_queuecontrol", "yt_worker", "TO PUBLIC"),
            ("youtility_tasks_queuecontrol", "yt_ops", "TO PUBLIC"),
            ("youtility_tasks_taskauditlog", "yt_own", "USING (true)"),
            ("youtility_tasks_tenantmembership", "yt_own", "USING (true)"),
            ("youtility_tasks_tenantmembership", "yt_own_changed", "USING (true)"),
            ("youtility_tasks_tenantmembership", "yt_ops", "TO PUBLIC"),
        )
    ),
    *(
        Mutant(f"no row security of {table}", f"ALTER TABLE {table} DISABLE ROW LEVEL SECURITY", attacks.meddles_with_what_people_set)
        for table in SET_BY_PEOPLE
    ),
    *(
        Mutant(f"{right} on {table}", f"GRANT {right} ON {table} TO {{web}}", attacks.reaches_for_the_house)
        for table in OF_THE_HOUSE
        for right in ("SELECT", "UPDATE", "DELETE")
    ),
    *(
        Mutant(f"{function} for the web", f"GRANT EXECUTE ON FUNCTION {function} TO {{web}}", attacks.calls_what_is_not_for_him)
        for function in (
            "youtility_tasks_add_history_day_v1", "youtility_tasks_drop_history_day_v1", "youtility_tasks_history_gaps_v1",
            "youtility_tasks_queue_sums_v1", "youtility_tasks_stop_stragglers_v1",
            "youtility_tasks_sealed_keys_v1",
        )
    ),
    Mutant("statistics of a table that nothing guards", "ALTER TABLE procrastinate_jobs DISABLE ROW LEVEL SECURITY", attacks.reads_the_statistics),
    Mutant("statistics of a partition", "GRANT SELECT ON youtility_tasks_history_default TO {web}; ALTER TABLE youtility_tasks_history_default DISABLE ROW LEVEL SECURITY", attacks.reads_the_statistics),
    Mutant("statistics of everything", "GRANT pg_read_all_data TO {login}; ALTER ROLE {login} BYPASSRLS", attacks.reads_the_statistics),
    Mutant("another's key", "GRANT UPDATE ON youtility_tasks_keys TO {web}", attacks.reads_the_keys),
    Mutant("no key", "GRANT DELETE ON youtility_tasks_keys TO {task}", attacks.reads_the_keys, "task"),
    Mutant("any id of an event", "GRANT INSERT (id) ON procrastinate_events TO {web}", attacks.meddles_with_what_people_set),
    Mutant("any id of a control", "GRANT INSERT (id) ON youtility_tasks_queuecontrol TO {web}", attacks.takes_ids_that_others_will_draw),
    Mutant("another id of a control", "GRANT UPDATE (id) ON youtility_tasks_queuecontrol TO {web}", attacks.takes_ids_that_others_will_draw),
    Mutant("any id of an act", "GRANT INSERT (id) ON youtility_tasks_taskauditlog TO {task}", attacks.takes_ids_that_others_will_draw, "task"),
    Mutant("its own weight", "GRANT UPDATE (weight) ON youtility_tasks_tenant TO {web}", attacks.says_how_much_it_is_worth),
    Mutant("a way back for itself", "GRANT UPDATE (is_active) ON youtility_tasks_tenant TO {web}", attacks.says_how_much_it_is_worth),
    Mutant("any number in a control", "ALTER TABLE youtility_tasks_queuecontrol DROP CONSTRAINT yt_control_numbers_in_bounds", attacks.stops_every_claim),
    Mutant("any instant in a control", "ALTER TABLE youtility_tasks_queuecontrol DROP CONSTRAINT yt_control_instants_in_bounds", attacks.stops_every_claim),
    Mutant("any number of controls", "DROP TRIGGER youtility_tasks_few_controls ON youtility_tasks_queuecontrol", attacks.sets_more_than_a_claim_can_lock),
    Mutant("DELETE on controls", "GRANT DELETE ON youtility_tasks_queuecontrol TO {web}", attacks.sets_more_than_a_claim_can_lock),
    Mutant(
        "any priority, any time",
        "ALTER POLICY yt_own_new ON procrastinate_jobs WITH CHECK (tenant_id = (SELECT youtility_tasks_tenant_v1()))",
        attacks.pushes_in,
    ),
    Mutant(
        "an act of any day",
        "ALTER POLICY yt_own_new ON youtility_tasks_taskauditlog WITH CHECK (tenant_id = (SELECT youtility_tasks_tenant_v1()))",
        attacks.writes_yesterdays_acts,
    ),
    Mutant("an act of anybody", "ALTER POLICY yt_own_new ON youtility_tasks_taskauditlog WITH CHECK (at <= clock_timestamp())", attacks.writes_yesterdays_acts),
    *(
        Mutant(f"a step with {what}", swap("youtility_tasks_flow_check_v1", guard, "true"), attacks.starts_what_cannot_go_on)
        for what, guard in (
            ("another's lock", "starts_with(s.lock, own)"),
            ("another's lock in a list", "starts_with(e.value ->> 'lock', own)"),
            ("any priority", "coalesce(s.priority, 0) <= 10"),
            ("any wait", "coalesce(s.wait_s BETWEEN 0 AND longest_s, true)"),
            ("any instant", "coalesce(date_part('year', s.run_after) BETWEEN 1 AND 9998, true)"),
        )
    ),
    Mutant("a run that nobody looks at", swap("youtility_tasks_flow_start_v1", "PERFORM youtility_tasks_flow_check_v1(p_flow, theirs);", ""), attacks.starts_what_cannot_go_on, "task"),
    *(
        Mutant(f"a letter under another's {what}", swap("youtility_tasks_redrive_v1", guard, "true"), attacks.redrives_into_the_locks_of_another)
        for what, guard in (
            ("lock", "starts_with(letter.new_lock, letter.tenant_id || ':')"),
            ("queueing lock", "starts_with(letter.new_queueing_lock, letter.tenant_id || ':')"),
        )
    ),
    *(
        Mutant(f"{function} at any time", swap(function, "date_part('year', p_first_at) BETWEEN 1 AND 9998", "true"), attacks.comes_due_at_no_time)
        for function in ("youtility_tasks_run_now_v1", "youtility_tasks_redrive_v1")
    ),
    Mutant("any instant in a schedule", "ALTER TABLE youtility_tasks_scheduledtask DROP CONSTRAINT yt_scheduledtask_instants", attacks.writes_what_nobody_can_read),
    Mutant("any instant in a view", "ALTER TABLE youtility_tasks_savedview DROP CONSTRAINT yt_savedview_instants", attacks.writes_what_nobody_can_read, "task"),
    Mutant("requests used up for years", swap("youtility_tasks_api_take_v1", "a.full_at > clock_timestamp() + each * p_burst;", "false;"), attacks.uses_up_the_requests_of_another),
    Mutant("temporary tables", "GRANT TEMPORARY ON DATABASE {database} TO PUBLIC", attacks.leaves_a_table_behind),
    Mutant("temporary tables of a task", "GRANT TEMPORARY ON DATABASE {database} TO {task}", attacks.leaves_a_table_behind, "task"),
    Mutant(
        "an abort that names its job",
        "ALTER TABLE procrastinate_jobs ENABLE TRIGGER procrastinate_jobs_notify_queue_job_aborted_v1",
        attacks.listens,
    ),
    Mutant("any id of an effect", "GRANT INSERT (id) ON youtility_tasks_taskeffect TO {web}", attacks.takes_ids_that_others_will_draw),
    Mutant(
        "checked on the way out only",
        "ALTER POLICY yt_own ON youtility_tasks_taskeffect WITH CHECK (true)",
        attacks.moves_rows,
    ),
    Mutant("no such tenant as 0", "ALTER POLICY yt_own ON youtility_tasks_tenant USING (id = (SELECT youtility_tasks_tenant_v1()))", attacks.reads_as_a_sweep),
    Mutant("a sweep sees rows", "ALTER POLICY yt_own ON procrastinate_jobs USING (tenant_id = (SELECT youtility_tasks_tenant_v1()) OR (SELECT youtility_tasks_tenant_v1()) = 0)", attacks.reads_as_a_sweep),
    Mutant("signature not checked", swap("youtility_tasks_tenant_v1", "said[5] = signature", "true"), attacks.forges_a_token),
    Mutant(
        "expiry not checked",
        swap("youtility_tasks_tenant_v1", "said[4]::bigint < extract(epoch FROM clock_timestamp())", "false"),
        attacks.forges_a_token,
    ),
    Mutant(
        "a plain setting instead of a token",
        "CREATE OR REPLACE FUNCTION youtility_tasks_tenant_v1() RETURNS integer LANGUAGE sql STABLE SECURITY DEFINER"
        " SET search_path = pg_catalog, public, pg_temp AS"
        " $$ SELECT substring(current_setting('youtility_tasks.token', true) FROM '^v1[.][^.]*[.]([0-9]+)')::integer $$",
        attacks.forges_a_token,
    ),
    Mutant("keys readable", "GRANT SELECT ON youtility_tasks_keys TO PUBLIC", attacks.reads_the_keys),
    Mutant("keys writable", "GRANT INSERT ON youtility_tasks_keys TO {web}", attacks.reads_the_keys),
    Mutant("the caller's search_path", "ALTER FUNCTION youtility_tasks_tenant_v1 SET search_path = pg_temp, public", attacks.stands_in_for_tables),
    Mutant("UPDATE on jobs", "GRANT UPDATE ON procrastinate_jobs TO {web}", attacks.changes_rows),
    Mutant("DELETE on jobs", "GRANT DELETE ON procrastinate_jobs TO {task}", attacks.changes_rows, "task"),
    Mutant("history to be written", "GRANT INSERT ON youtility_tasks_history TO {web}; CREATE POLICY more ON youtility_tasks_history FOR INSERT TO {web} WITH CHECK (true)", attacks.changes_rows),
    Mutant("TRUNCATE", "GRANT TRUNCATE ON youtility_tasks_taskeffect TO {web}", attacks.changes_rows),
    Mutant("a partition open", "GRANT SELECT ON youtility_tasks_history_default TO {web}", attacks.changes_rows),
    Mutant("member of the worker", "GRANT {worker} TO {web}", attacks.becomes_another_role),
    Mutant("member of the owner", "GRANT {owner} TO {web}", attacks.becomes_another_role),
    Mutant("BYPASSRLS", "ALTER ROLE {login} BYPASSRLS", attacks.reads),
    Mutant("SUPERUSER", "ALTER ROLE {login} SUPERUSER", attacks.switches_the_guards_off),
    Mutant("owner of the table", "ALTER TABLE procrastinate_jobs OWNER TO {login}", attacks.switches_the_guards_off),
    Mutant("may make tables", "GRANT CREATE ON SCHEMA public TO {web}", attacks.switches_the_guards_off),
    Mutant("cleanup for everybody", "GRANT EXECUTE ON FUNCTION cleanup_old_tasks TO PUBLIC", attacks.calls_what_is_not_for_him),
    Mutant("acts for every tenant", "GRANT EXECUTE ON FUNCTION youtility_tasks_any_tenant_v1 TO {web}", attacks.acts_on_jobs_of_another),
    Mutant("scope not asked, owner sees all", f"{NO_SCOPE}; {OWNER_SEES_ALL}", attacks.acts_on_jobs_of_another),
    Mutant(
        "unique over all tenants",
        "CREATE UNIQUE INDEX everybodys ON youtility_tasks_taskeffect (key) WHERE status = 'pending';"
        " INSERT INTO youtility_tasks_taskeffect (tenant_id, key, status, task_name, note) SELECT 99, key, 'pending', '', ''"
        " FROM youtility_tasks_taskeffect LIMIT 1",
        attacks.learns_of_keys,
    ),
    Mutant(
        "a function that may look first",
        "ALTER POLICY yt_own ON procrastinate_jobs USING (true);"
        " ALTER POLICY yt_own ON youtility_tasks_history USING (true)",
        attacks.looks_through_a_function,
    ),
    Mutant("a view of its owner's", "ALTER TABLE procrastinate_jobs RENAME TO all_jobs; CREATE VIEW procrastinate_jobs AS SELECT * FROM all_jobs; GRANT SELECT ON procrastinate_jobs TO {web}", attacks.reads_without_a_tenant),
    Mutant("the worker rewrites tenants", "GRANT UPDATE (tenant_id) ON procrastinate_jobs TO {worker}", attacks.the_worker_goes_beyond_the_queue, "worker"),
    Mutant("the worker rewrites arguments", "GRANT UPDATE ON procrastinate_jobs TO {worker}", attacks.the_worker_goes_beyond_the_queue, "worker"),
    Mutant("the worker reads business rows", "GRANT SELECT ON ticket TO {worker}", attacks.the_worker_goes_beyond_the_queue, "worker"),
    Mutant("an operator reads arguments", "GRANT SELECT (args) ON procrastinate_jobs TO {ops}", attacks.an_operator_reads_what_is_the_tenants, "ops"),
    Mutant("an operator reads errors", "GRANT SELECT (error_message) ON youtility_tasks_history TO {ops}", attacks.an_operator_reads_what_is_the_tenants, "ops"),
    Mutant("the exporter reads rows", "GRANT SELECT ON procrastinate_jobs TO {exporter}", attacks.the_exporter_sees_rows, "exporter"),
)  # fmt: skip


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_without_a_guard_an_attack_gets_through(house: House, mutant: Mutant) -> None:
    groups = {part: f'"{house.group(part)}"' for part in ("worker", "task", "web", "ops", "exporter", "owner")}
    groups["database"] = house.name
    for statement in parts_of(mutant.sql):
        house.rows(
            statement if "$m$" in statement else statement.format(login=f'"{house.login(mutant.part)}"', **groups)
        )

    assert gets_through(mutant.attack, house, mutant.part)


def gets_through(attack: Callable[[House, str], Any], house: House, part: str) -> bool:
    try:
        attack(house, part)
    except AssertionError:
        return True
    finally:
        login = house.login(part)
        # A session that is leaving drops its temporary tables under the one that looks for what to reassign.
        gone = "SELECT count(*) = 0 FROM pg_stat_activity WHERE usename = %s"
        until(lambda: house.rows(gone, login)[0][0], within_s=10, why=f"{login} has not left")
        house.rows(f'REASSIGN OWNED BY "{login}" TO youtility')
    return False


def parts_of(sql: str) -> list[str]:
    """Its statements; a block has semicolons of its own and comes first."""
    block, end, rest = sql.rpartition("END $m$")
    return [*([block + end] if end else []), *(each for each in rest.split("; ") if each.strip())]


@pytest.mark.parametrize(
    "sql", [NO_SCOPE, OWNER_SEES_ALL], ids=["the function forgets to ask", "the policy lets its owner see all"]
)
def test_an_act_is_bound_twice(house: House, sql: str) -> None:
    """By what its function asks, and by the policy for that function's owner: either alone holds."""
    for statement in parts_of(sql):
        house.rows(statement)
    before = everything_of_b(house)

    ids = [job_id for (job_id,) in house.rows("SELECT id FROM procrastinate_jobs")]
    with house.connect("web", A) as session:
        session.execute(ENTRY.format(A))
        session.execute("SELECT * FROM youtility_tasks_cancel_v1(%s, 'failed', '', NULL)", [ids])
        session.commit()

    assert everything_of_b(house) == before
