from django.db import migrations

from ._sql import reworded

CHANGES = {
    "youtility_tasks_enqueue_unique_v1": [
        (
            "            IF c.replaces THEN\n",
            "            IF c.replaces OR EXISTS (SELECT FROM procrastinate_jobs j WHERE j.id = holder AND j.status = ''todo''\n"
            "                                        AND j.expires_at <= clock_timestamp()) THEN\n",
        ),
    ],
    "youtility_tasks_step_retried_v1": [
        (
            "    UPDATE youtility_tasks_taskworkflow w SET status = ''running'', ended_at = NULL WHERE w.id = ANY (above);\n",
            "    IF EXISTS (SELECT FROM youtility_tasks_taskworkflow w WHERE w.id = ANY (above) AND w.cancelled_at IS NOT NULL) THEN\n"
            "        RETURN NULL;\n"
            "    END IF;\n"
            "    UPDATE youtility_tasks_taskworkflow w\n"
            "       SET deadline_at = CASE WHEN w.status = ''running'' THEN w.deadline_at\n"
            "                              ELSE clock_timestamp() + w.deadline_s * interval ''1 second'' END,\n"
            "           status = ''running'', ended_at = NULL\n"
            "     WHERE w.id = ANY (above);\n",
        ),
    ],
    "youtility_tasks_flow_retry_v1": [
        (
            "AND s.status = ''failed'' AND s.job_id IS NOT NULL)) ORDER BY j.id FOR UPDATE;\n",
            "AND s.status NOT IN (''blocked'', ''todo'') AND s.job_id IS NOT NULL)) ORDER BY j.id FOR UPDATE;\n",
        ),
        (
            "        RETURN QUERY SELECT flow.status::text, NULL::integer;\n        RETURN;\n    END IF;\n    tree :=",
            "        RETURN QUERY SELECT flow.status::text, NULL::integer;\n        RETURN;\n    END IF;\n"
            "    IF EXISTS (SELECT FROM youtility_tasks_taskworkflow w JOIN youtility_tasks_workflowstep s ON s.workflow_id = w.id\n"
            "                 JOIN procrastinate_jobs j ON j.id = s.job_id\n"
            "                WHERE w.root_id = p_flow AND j.status IN (''todo'', ''doing'')) THEN\n"
            "        RETURN QUERY SELECT ''apart'', NULL::integer;\n        RETURN;\n    END IF;\n    tree :=",
        ),
    ],
}


class Migration(migrations.Migration):
    """What one feature promised and another broke.

    A job past its `expires_at` stands for no later call: it takes over what that says. A dead letter that is given new attempts opens its
    run with a fresh deadline, and none inside a workflow that was cancelled. A run is not retried beside a job of it that was retried
    by itself. Lock: none but on the functions. Workers of the release before may run. Reverse: puts the words back.
    """

    dependencies = [("youtility_tasks", "0027_api_tokens")]
    operations = [
        migrations.RunSQL(
            reworded(name, changes), reworded(name, [(becomes, was) for was, becomes in reversed(changes)])
        )
        for name, changes in CHANGES.items()
    ]
