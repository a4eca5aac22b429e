"""Statements of somebody with SQL in a tenant's session, as Hypothesis strategies; `{me}` and `{other}` are the tenants' ids.

Columns that hold a job's id are named `id` or `job_id`, so that two worlds with different sequences can be compared.
"""

from __future__ import annotations

from hypothesis import strategies as st

JOBS, HISTORY, EFFECTS = "procrastinate_jobs", "youtility_tasks_history", "youtility_tasks_taskeffect"
KEYS = "youtility_tasks_uniquekey"
TENANTS, MEMBERS, EVENTS = "youtility_tasks_tenant", "youtility_tasks_tenantmembership", "procrastinate_events"

COLUMNS = {
    JOBS: "id, queue_name, task_name, priority, lock, queueing_lock, args, status, tenant_id, unique_key, noted",
    HISTORY: "job_id, task_name, queue_name, tenant_id, attempt, status, outcome, is_final, args, error_message",
    EFFECTS: "tenant_id, key, status, task_name, note, payload",
    TENANTS: "id AS pk, name, is_active, weight",
    MEMBERS: "tenant_id, role",
    EVENTS: "job_id, type",
}
TENANT_OF = {JOBS: "tenant_id", HISTORY: "tenant_id", EFFECTS: "tenant_id", TENANTS: "id", MEMBERS: "tenant_id"}

keys = st.sampled_from(["k1", "k2", "k3", "same key", "{other}:k1"])
whose = st.sampled_from(["{me}", "{me}", "{me}", "{other}", "0", "NULL"])
notes = st.sampled_from(["one", "two", "%", "' || note || '"])
kept = st.sampled_from(sorted(TENANT_OF))


def conditions(table: str) -> st.SearchStrategy[str]:
    """What may stand after WHERE; some of it fails on rows of the other tenant, were they met."""
    own = TENANT_OF[table]
    some = [
        "true",
        f"{own} = {{other}}",
        f"{own} <> {{me}}",
        f"{own} = {{me}} OR {own} = {{other}}",
        f"{own} IN (SELECT t.id FROM {TENANTS} t)",
        f"1 / ({own} - {{other}}) <> 2",
        f"CASE WHEN {own} = {{other}} THEN 1 / 0 ELSE 1 END = 1",
        f"EXISTS (SELECT FROM {EFFECTS} e WHERE e.tenant_id <> {{me}})",
        f"NOT EXISTS (SELECT FROM {JOBS} j WHERE j.tenant_id = {{other}} AND j.status = 'failed')",
        f"{own} = (SELECT max(tenant_id) FROM {HISTORY})",
    ]
    more = {
        JOBS: ["status = 'todo'", "status::text LIKE 'f%'", "args @> '{{}}'", "lock LIKE '%k%'", "(args ->> 'secret') || '' <> 'x'"],
        HISTORY: ["error_message <> ''", "args ->> 'secret' LIKE 'of %'", "status = 'cancelled'"],
        EFFECTS: ["key = 'same key'", "note = 'one'", "key LIKE 'k%'"],
        TENANTS: ["name ~ 'o'", "is_active"],
        MEMBERS: ["role = 'viewer'"],
    }  # fmt: skip
    return st.sampled_from(some + more[table])


@st.composite
def selects(draw: st.DrawFn) -> str:
    table = draw(kept)
    where = draw(conditions(table))
    other = draw(kept)
    columns, own = COLUMNS[table], TENANT_OF[table]
    return draw(
        st.sampled_from(
            [
                f"SELECT {columns} FROM {table} WHERE {where}",
                f"SELECT {columns} FROM ONLY {table} WHERE {where}",
                f"SELECT count(*), count(DISTINCT {own}) FROM {table} WHERE {where}",
                f"SELECT {own}, count(*) FROM {table} WHERE {where} GROUP BY ROLLUP (1)",
                f"WITH x AS MATERIALIZED (SELECT * FROM {table}) SELECT count(*) FROM x WHERE {where}",
                f"SELECT count(*) FROM {table} a LEFT JOIN {other} b ON b.{TENANT_OF[other]} <> a.{own}",
                f"SELECT count(*) FROM {table} a FULL JOIN {other} b ON b.{TENANT_OF[other]} = a.{own}",
                f"SELECT count(*) FROM {TENANTS} t, LATERAL (SELECT FROM {table} a WHERE a.{own} = t.id) l",
                f"SELECT {own} FROM {table} UNION ALL SELECT {TENANT_OF[other]} FROM {other}",
                f"SELECT {own}, row_number() OVER (PARTITION BY {own}) FROM {table} WHERE {where}",
                f"SELECT {columns} FROM {table} WHERE {where} FOR UPDATE",
                f"SELECT count(*) FROM {table} TABLESAMPLE BERNOULLI (100) WHERE {where}",
                f"SELECT {COLUMNS[EVENTS]} FROM {EVENTS}",
                f"SELECT jsonb_agg(to_jsonb(a) - 'id' - 'job_id' - 'created_at' - 'enqueued_at' - 'finished_at' - 'user_id') IS NULL FROM {table} a",
                f"SELECT (a.{own} || 'x')::integer FROM {table} a",
                "SELECT queue_name, todo, doing, scheduled, failed FROM get_queue_statistics()",
                "SELECT * FROM youtility_tasks_queue_sums_v1()",
                "SELECT youtility_tasks_tenant_v1()",
                "SELECT * FROM youtility_tasks_keys",
                "SELECT * FROM youtility_tasks_history_default",
                "SELECT * FROM youtility_tasks_taskworker",
            ]
        )
    )


@st.composite
def inserts(draw: st.DrawFn) -> str:
    tenant, key, note = draw(whose), draw(keys), draw(notes)
    lock = draw(st.sampled_from(["NULL", f"'{{me}}:{key}'", f"'{{other}}:{key}'", f"'{key}'"]))
    queueing = draw(st.sampled_from(["NULL", "NULL", f"'{{me}}:{key}'", f"'{{other}}:{key}'"]))
    unique = draw(st.sampled_from(["NULL", f"'{key}'"]))
    conflict = draw(st.sampled_from(["", "", " ON CONFLICT DO NOTHING"]))
    back = draw(st.sampled_from(["", " RETURNING id, tenant_id, lock"]))
    effect = (
        f"INSERT INTO {EFFECTS} (tenant_id, key, status, task_name, note) VALUES ({tenant}, '{key}', 'pending', '', '')"
    )
    return draw(
        st.sampled_from(
            [
                f"INSERT INTO {JOBS} (queue_name, task_name, tenant_id, lock, queueing_lock, unique_key, noted)"
                f" VALUES ('email', 't', {tenant}, {lock}, {queueing}, {unique}, false){conflict}{back}",
                f"INSERT INTO {JOBS} (queue_name, task_name, noted) VALUES ('email', 't', false){back}",
                # An id that another's job may have: whether it is taken is nobody's business.
                f"INSERT INTO {JOBS} (id, queue_name, task_name, tenant_id, noted)"
                f" SELECT {{foreign}}, 'email', 't', {{me}}, false{conflict}",
                f"SELECT is_written, tenant_is_known FROM youtility_tasks_enqueue_one_v1('email', 't', 5, {lock}, {queueing}, '{{{{}}}}', NULL, {unique}, {tenant}, false)",
                f"SELECT is_written, tenant_is_known, is_replaced FROM youtility_tasks_enqueue_unique_v1(jsonb_build_array(jsonb_build_object("
                f"'n', 0, 'queue_name', 'email', 'task_name', 't', 'priority', 5, 'args', '{{{{}}}}', 'tenant_id', {tenant}, 'lock', {lock},"
                f" 'queueing_lock', {queueing}, 'done_key', {unique}, 'period_key', {unique}, 'period_s', 60, 'replaces', true)), false, NULL)",
                f"INSERT INTO {KEYS} (tenant_id, task_name, key, job_id, held_until) VALUES ({tenant}, 't', '{key}', {{foreign}}, 'infinity'){conflict}",
                f"INSERT INTO {HISTORY} (job_id, task_name, queue_name, tenant_id, priority, attempt, claim_number, enqueued_at,"
                f" finished_at, status, outcome, is_final) VALUES (1, 't', 'email', {tenant}, 5, 1, 1, now(), now(), 'succeeded', 'succeeded', true)",
                effect,
                f"{effect} ON CONFLICT DO NOTHING RETURNING tenant_id, key",
                f"{effect} ON CONFLICT (tenant_id, key) DO UPDATE SET note = excluded.note || '{note}' RETURNING tenant_id, note",
                f"INSERT INTO {EFFECTS} (tenant_id, key, status, task_name, note)"
                f" SELECT tenant_id, unique_key || 'x', 'pending', '', '' FROM {JOBS} WHERE unique_key IS NOT NULL ON CONFLICT DO NOTHING",
                f"INSERT INTO {EVENTS} (job_id, type) SELECT id, 'deferred' FROM {JOBS}",
                f"INSERT INTO {EVENTS} (job_id, type) SELECT {{foreign}}, 'deferred'",
                f"INSERT INTO {TENANTS} (id, name, is_active, weight, created_at) VALUES ({tenant}, 'x', true, 1, now()){conflict}",
                f"INSERT INTO {MEMBERS} (tenant_id, user_id, role, created_at) SELECT {tenant}, max(id), 'viewer', now() FROM auth_user{conflict}",
            ]
        )
    )


@st.composite
def changes(draw: st.DrawFn) -> str:
    table = draw(kept)
    where, note, tenant = draw(conditions(table)), draw(notes), draw(whose)
    effects_where = draw(conditions(EFFECTS))
    every = "ARRAY(SELECT generate_series(1::bigint, 20000))"
    return draw(
        st.sampled_from(
            [
                f"UPDATE {EFFECTS} SET note = '{note}' WHERE {effects_where}",
                f"UPDATE {EFFECTS} SET note = note || j.status::text FROM {JOBS} j WHERE j.tenant_id = {EFFECTS}.tenant_id AND j.status = 'failed'",
                f"UPDATE {EFFECTS} SET tenant_id = {tenant} WHERE {effects_where}",
                f"DELETE FROM {EFFECTS} WHERE {effects_where} RETURNING tenant_id, key",
                f"DELETE FROM {EFFECTS} USING {JOBS} j WHERE {EFFECTS}.tenant_id <> j.tenant_id",
                f"MERGE INTO {EFFECTS} e USING (SELECT DISTINCT tenant_id, unique_key FROM {JOBS} WHERE unique_key IS NOT NULL) j"
                " ON e.tenant_id = j.tenant_id AND e.key = j.unique_key WHEN MATCHED THEN UPDATE SET note = 'merged'"
                " WHEN NOT MATCHED THEN INSERT (tenant_id, key, status, task_name, note) VALUES (j.tenant_id, j.unique_key, 'pending', '', '')",
                f"WITH gone AS (DELETE FROM {EFFECTS} WHERE {effects_where} RETURNING tenant_id, key) SELECT count(*) FROM gone g, {JOBS} j",
                f"UPDATE {table} SET {TENANT_OF[table]} = {tenant} WHERE {where}",
                f"DELETE FROM {table} WHERE {where}",
                f"UPDATE {JOBS} SET status = 'cancelled'",
                f"UPDATE {KEYS} SET held_until = now() WHERE tenant_id = {tenant} OR key = 'k1' RETURNING tenant_id, task_name, key",
                f"DELETE FROM {KEYS} RETURNING tenant_id, task_name, key",
                f"UPDATE {TENANTS} SET weight = 2 WHERE {draw(conditions(TENANTS))}",
                f"UPDATE {MEMBERS} SET role = 'admin' WHERE {draw(conditions(MEMBERS))}",
                f"UPDATE {MEMBERS} SET tenant_id = {tenant}",
                f"TRUNCATE {table}",
                f"SELECT job_id, tenant_id FROM youtility_tasks_cancel_v1({every}, 'todo', 'why', {tenant})",
                f"SELECT job_id, tenant_id FROM youtility_tasks_cancel_v1({every}, 'failed', 'why', NULL)",
                f"SELECT job_id, tenant_id FROM youtility_tasks_abort_v1({every}, NULL)",
                f"SELECT job_id, tenant_id FROM youtility_tasks_retry_v1({every}, {tenant})",
                "SELECT job_id FROM youtility_tasks_cancel_v1(ARRAY[{foreign}]::bigint[], 'todo', 'why', NULL)",
                f"LOCK TABLE {EFFECTS} IN ROW EXCLUSIVE MODE",
            ]
        )
    )


nuisances = st.sampled_from(
    [
        "SELECT 1 / 0",
        "SELECT no_such_column",
        "SELECT 'x'::integer",
        f"SELECT (note || 'x')::integer FROM {EFFECTS}",
        "SET LOCAL statement_timeout = 20",
        "SELECT pg_sleep(0.001)",
        "SET LOCAL youtility_tasks.tenant = '{other}'",
        "SELECT set_config('youtility_tasks.token', 'v1.00000000.{other}.99999999999.0', true)",
        "SET LOCAL row_security = off",
        "SET LOCAL search_path = pg_catalog, public, pg_temp",
        f"CREATE TEMP TABLE {JOBS} (id bigint) ON COMMIT DROP",
        "RESET ALL",
        "SET CONSTRAINTS ALL IMMEDIATE",
    ]
)

statements = st.one_of(selects(), selects(), inserts(), inserts(), changes(), nuisances)
NEW_EFFECT = f"INSERT INTO {EFFECTS} (tenant_id, key, status, task_name, note) VALUES "
oracles = st.sampled_from(
    [
        f"INSERT INTO {JOBS} (id, queue_name, task_name, tenant_id, noted) SELECT {{foreign}}, 'email', 't', {{me}}, false",
        f"INSERT INTO {EVENTS} (job_id, type) SELECT {{foreign}}, 'deferred'",
        f"INSERT INTO {MEMBERS} (id, tenant_id, user_id, role, created_at) SELECT {{member}}, {{me}}, max(id), 'viewer', now() FROM auth_user",
        f"INSERT INTO {JOBS} (queue_name, task_name, tenant_id, noted) VALUES ('email', 't', {{other}}, false)",
        f"INSERT INTO {JOBS} (queue_name, task_name, tenant_id, queueing_lock, noted) VALUES ('email', 't', {{me}}, '{{other}}:k1', false)",
        f"INSERT INTO {JOBS} (queue_name, task_name, tenant_id, unique_key, noted) VALUES ('email', 't', {{me}}, 'k1todo', false)",
        "SELECT youtility_tasks_replace_v1({foreign}, jsonb_build_object('tenant_id', {me}, 'task_name', 't', 'priority', 5, 'args', '{{}}'))",
        f"{NEW_EFFECT} ({{me}}, 'k1', 'pending', '', '')",
        f"{NEW_EFFECT} ({{other}}, 'k1', 'pending', '', '') ON CONFLICT DO NOTHING",
        "SELECT job_id FROM youtility_tasks_cancel_v1(ARRAY[{foreign}]::bigint[], 'todo', 'why', NULL)",
        "SELECT set_config('youtility_tasks.token', 'v1.00000000.{other}.99999999999.' || repeat('0', 64), true)",
        "SELECT is_written, tenant_is_known FROM youtility_tasks_enqueue_one_v1('email', 't', 5, NULL, NULL, '{{}}', NULL, NULL, {other}, false)",
    ]
)
"""By whose answer one might learn of the other: ids, keys, references, forged tokens."""

copies_out = st.sampled_from(
    [
        f"COPY (SELECT tenant_id, key, note FROM {EFFECTS}) TO STDOUT",
        f"COPY {EFFECTS} (tenant_id, key, note) TO STDOUT",
        f"COPY (SELECT tenant_id, status, args FROM {JOBS}) TO STDOUT",
        f"COPY {HISTORY} (tenant_id, args) TO STDOUT",
    ]
)
