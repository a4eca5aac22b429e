from django.db import migrations

from ._sql import frozen, reworded

CHANGES = {
    "youtility_tasks_flow_start_v1": [
        (
            "    FOR run IN SELECT r.value FROM jsonb_array_elements(p_flow -> ''runs'')",
            "    PERFORM youtility_tasks_flow_check_v1(p_flow, theirs);\n"
            "    FOR run IN SELECT r.value FROM jsonb_array_elements(p_flow -> ''runs'')",
        ),
    ],
    # As many as `Workflow` takes of a list that it is given: a result has no such limit, and is spread by the statement that ends a job.
    "youtility_tasks_flow_release_v1": [
        (
            "            IF jsonb_typeof(list) IS DISTINCT FROM ''array'' THEN\n",
            "            IF (CASE WHEN jsonb_typeof(list) = ''array'' THEN jsonb_array_length(list) > 100000 END) THEN\n"
            "                UPDATE youtility_tasks_workflowstep s\n"
            "                   SET status = ''failed'', ended_at = clock_timestamp(), error_class = ''youtility_tasks.errors.WrongWorkflow'',\n"
            "                       error_message = format(''Step %L fans out over %s elements; at most are 100000.'', fan.name, jsonb_array_length(list))\n"
            "                 WHERE s.id = fan.id;\n"
            "                ended := ended || fan.id;\n"
            "                CONTINUE;\n"
            "            END IF;\n"
            "            IF jsonb_typeof(list) IS DISTINCT FROM ''array'' THEN\n",
        ),
    ],
    "youtility_tasks_redrive_v1": [
        (
            "    SELECT array_agg(l.id) INTO chosen FROM (\n",
            "    IF (date_part(''year'', p_first_at) BETWEEN 1 AND 9998 AND p_spacing_s BETWEEN 0 AND 31622400) IS NOT TRUE THEN\n"
            "        RAISE insufficient_privilege USING MESSAGE = ''such a time is not for a job of this tenant'';\n"
            "    END IF;\n"
            "    SELECT array_agg(l.id) INTO chosen FROM (\n",
        ),
        (
            "        its_queueing_lock := CASE",
            "        IF NOT coalesce(starts_with(letter.new_lock, letter.tenant_id || '':''), true)\n"
            "           OR NOT coalesce(starts_with(letter.new_queueing_lock, letter.tenant_id || '':''), true) THEN\n"
            "            RAISE insufficient_privilege USING MESSAGE = ''such a lock is not for a job of this tenant'';\n"
            "        END IF;\n"
            "        its_queueing_lock := CASE",
        ),
        (
            "scheduled_at = p_first_at + moved * p_spacing_s * interval ''1 second'',",
            "scheduled_at = least(p_first_at + moved * p_spacing_s * interval ''1 second'', ''9998-01-01Z''),",
        ),
    ],
    "youtility_tasks_run_now_v1": [
        (
            "BEGIN\n    RETURN QUERY\n",
            "BEGIN\n"
            "    IF (date_part(''year'', p_first_at) BETWEEN 1 AND 9998 AND p_spacing_s BETWEEN 0 AND 31622400) IS NOT TRUE THEN\n"
            "        RAISE insufficient_privilege USING MESSAGE = ''such a time is not for a job of this tenant'';\n"
            "    END IF;\n"
            "    RETURN QUERY\n",
        ),
    ],
    # One who has counted himself far ahead, with another rate than ours, waits for one request more, and not for years.
    "youtility_tasks_api_take_v1": [
        (
            "    SELECT extract(epoch FROM",
            "    UPDATE youtility_tasks_apiallowance a SET full_at = clock_timestamp() + each * p_burst\n"
            "     WHERE a.who = p_who AND a.full_at > clock_timestamp() + each * p_burst;\n"
            "    SELECT extract(epoch FROM",
        ),
    ],
}


class Migration(migrations.Migration):
    """What runs with its owner's rights refuses locks of other tenants, priorities above everybody's, and instants and numbers at which
    a later statement would fail; no table of the house takes instants that no client can read; and nobody's requests can be used up for
    longer than one of them takes.

    Lock: each of thirteen tables for a moment; their rows are not read. Workers of the release before may run. With the setting `roles` run `setup_task_queue` afterwards.
    Reverse: puts the words of the functions back.
    """

    dependencies = [("youtility_tasks", "0041_bridge_calls")]
    operations = [
        migrations.RunSQL(frozen("0046_bounds_of_acts.sql"), frozen("0046_bounds_of_acts.reverse.sql")),
        *(
            migrations.RunSQL(
                reworded(name, changes), reworded(name, [(becomes, was) for was, becomes in reversed(changes)])
            )
            for name, changes in CHANGES.items()
        ),
    ]
