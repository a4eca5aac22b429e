from django.db import migrations

from ._sql import frozen, reworded

# Within a literal of SQL: quotes are doubled.
CHANGES = {
    "youtility_tasks_claim_v2": [
        (
            "    waiting_levels integer[];\n",
            "    waiting_levels integer[];\n    waiting_weights float8[];\n    ready record;\n    kept text;\n",
        ),
        (
            "    IF is_contested THEN\n"
            "        without := coalesce((SELECT array_agg(t.id) FROM youtility_tasks_tenant t WHERE NOT t.is_active), ''{}'');\n"
            "    END IF;\n"
            "    WHILE is_contested LOOP\n"
            "        SELECT array_agg(r.id) FILTER (WHERE r.id IS NOT NULL), array_agg(r.level) FILTER (WHERE r.id IS NOT NULL),\n"
            "               array_agg(r.tenant_id) FILTER (WHERE r.id IS NOT NULL), array_agg(r.tenant_id) FILTER (WHERE r.id IS NULL),\n"
            "               array_agg(r.level) FILTER (WHERE r.id IS NULL)\n"
            "          INTO ids, levels, tenants, waiting, waiting_levels\n"
            "          FROM youtility_tasks_ready_v1(\n"
            "            p_queue, 0, p_n, without, CASE WHEN is_short THEN floors[2]::integer[] END, floors[3]::integer[], floors[4]::bigint[]) r;\n"
            "        SELECT array_agg(d.id) INTO others FROM (\n"
            "            SELECT j.id FROM procrastinate_jobs j\n"
            "             WHERE j.status = ''todo'' AND j.scheduled_at <= instant AND j.scheduled_at >= due_from AND j.lock IS NULL\n"
            "               AND j.queue_name = p_queue AND j.parked_by = 0\n"
            "             ORDER BY j.scheduled_at LIMIT p_n FOR UPDATE SKIP LOCKED) d;\n",
            "    WHILE is_contested LOOP\n"
            "        SELECT coalesce((SELECT array_agg(t.id) FROM youtility_tasks_tenant t WHERE NOT t.is_active), ''{}''), (\n"
            "            SELECT array_agg(d.id) FROM (\n"
            "                SELECT j.id FROM procrastinate_jobs j\n"
            "                 WHERE j.status = ''todo'' AND j.scheduled_at <= instant AND j.scheduled_at >= due_from AND j.lock IS NULL\n"
            "                   AND j.queue_name = p_queue AND j.parked_by = 0\n"
            "                 ORDER BY j.scheduled_at LIMIT p_n FOR UPDATE SKIP LOCKED) d)\n"
            "          INTO without, others;\n"
            "        ready := youtility_tasks_ready_v2(\n"
            "            p_queue, 0, p_n, without, CASE WHEN is_short THEN floors[2]::integer[] END, floors[3]::integer[], floors[4]::bigint[]);\n"
            "        ids := ready.ids;\n"
            "        levels := ready.levels;\n"
            "        tenants := ready.owners;\n"
            "        waiting := ready.waiting;\n"
            "        waiting_levels := ready.waiting_levels;\n"
            "        waiting_weights := ready.waiting_weights;\n",
        ),
        (
            "            SELECT f.id, f.level, coalesce(t.start",
            "            SELECT f.id, f.level, f.tenant_id, coalesce(t.start",
        ),
        (
            "SELECT array_agg(p.id ORDER BY p.level, p.tag, p.id) INTO ids\n",
            "SELECT array_agg(p.id ORDER BY p.level, p.tag, p.id), array_agg(p.tenant_id ORDER BY p.level, p.tag, p.id) INTO ids, tenants\n",
        ),
        (
            "PERFORM set_config(''youtility_tasks.turns'', youtility_tasks_turns_after_v1(waiting, rows), false)",
            "kept := set_config(''youtility_tasks.turns'', youtility_tasks_turns_after_v2(waiting, waiting_weights, tenants), false)",
        ),
    ],
    "youtility_tasks_claim_limited_v1": [
        ("    candidate record;\n", "    candidate record;\n    ready record;\n"),
        (
            "            SELECT ids || array_agg(r.id) FILTER (WHERE r.id IS NOT NULL), waiting || array_agg(r.tenant_id) FILTER (WHERE r.id IS NULL)\n"
            "              INTO ids, waiting\n"
            "              FROM youtility_tasks_ready_v1(p_queue, scope, p_n - cardinality(rows), without, NULL, NULL, NULL) r;\n",
            "            ready := youtility_tasks_ready_v2(p_queue, scope, p_n - cardinality(rows), without, NULL, NULL, NULL);\n"
            "            ids := ids || ready.ids;\n"
            "            waiting := waiting || ready.waiting;\n",
        ),
        (
            "youtility_tasks_turns_after_v1(waiting, rows)",
            "youtility_tasks_turns_after_v2(waiting, NULL, ARRAY(SELECT r.tenant_id FROM unnest(rows) r))",
        ),
    ],
}


class Migration(migrations.Migration):
    """A claim that serves a few tenants in turn costs half of what it did beyond one that serves nobody in turn.

    Lock: none but on the functions. Workers of the release before may run. With the setting `roles` run `setup_task_queue` afterwards. Reverse: drops
    the new functions and puts the words of the claims back.
    """

    dependencies = [("youtility_tasks", "0031_queue_snapshot")]
    operations = [
        migrations.RunSQL(
            frozen("0032_turns_for_less.sql"),
            "DROP FUNCTION youtility_tasks_ready_v2; DROP FUNCTION youtility_tasks_turns_after_v2;",
        ),
        *(
            migrations.RunSQL(
                reworded(name, changes), reworded(name, [(becomes, was) for was, becomes in reversed(changes)])
            )
            for name, changes in CHANGES.items()
        ),
    ]
