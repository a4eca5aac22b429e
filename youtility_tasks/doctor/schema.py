"""What the migrations must have left in the database, compared with what is there."""

from __future__ import annotations

from importlib import metadata

from django.apps import apps
from django.db.models import Index, UniqueConstraint

from youtility_tasks import queries

TESTED_PROCRASTINATE = ((3, 10), (4, 0))
"""From the first version to before the second: our columns and statements stand on its tables and functions."""

FUNCTIONS = (
    "cleanup_old_tasks",
    "get_queue_statistics",
    "youtility_tasks_abort_v1",
    "youtility_tasks_add_attempts_v1",
    "youtility_tasks_add_buckets_v1",
    "youtility_tasks_add_history_day_v1",
    "youtility_tasks_any_tenant_v1",
    "youtility_tasks_api_take_v1",
    "youtility_tasks_api_token_v1",
    "youtility_tasks_before_v1",
    "youtility_tasks_bucket_v1",
    "youtility_tasks_cancel_v1",
    "youtility_tasks_checkpoint_v1",
    "youtility_tasks_claim_limited_v1",
    "youtility_tasks_claim_for_v1",
    "youtility_tasks_claim_lone_v1",
    "youtility_tasks_claim_v2",
    "youtility_tasks_count_queues_v1",
    "youtility_tasks_counted_v1",
    "youtility_tasks_glance_v1",
    "youtility_tasks_controls_v1",
    "youtility_tasks_drop_history_day_v1",
    "youtility_tasks_due_schedules_v1",
    "youtility_tasks_due_v1",
    "youtility_tasks_enqueue_expiring_v1",
    "youtility_tasks_enqueue_one_v1",
    "youtility_tasks_enqueue_signed_v1",
    "youtility_tasks_enqueue_unique_v1",
    "youtility_tasks_enqueue_v1",
    "youtility_tasks_enter_strays_v1",
    "youtility_tasks_enter_v1",
    "youtility_tasks_error_place_v1",
    "youtility_tasks_error_words_v1",
    "youtility_tasks_export_present_v1",
    "youtility_tasks_export_totals_v2",
    "youtility_tasks_few_controls_v1",
    "youtility_tasks_fingerprint_v1",
    "youtility_tasks_finish_v2",
    "youtility_tasks_first_of_locks_v1",
    "youtility_tasks_floors_after_v1",
    "youtility_tasks_flow_advance_v1",
    "youtility_tasks_flow_args_v1",
    "youtility_tasks_flow_cancel_v1",
    "youtility_tasks_flow_check_v1",
    "youtility_tasks_flow_jobs_ended_v1",
    "youtility_tasks_flow_lock_v1",
    "youtility_tasks_flow_release_v1",
    "youtility_tasks_flow_retry_v1",
    "youtility_tasks_flow_settle_v1",
    "youtility_tasks_flow_signal_v1",
    "youtility_tasks_flow_skip_inside_v1",
    "youtility_tasks_flow_skip_v1",
    "youtility_tasks_flow_start_v1",
    "youtility_tasks_flow_stop_v1",
    "youtility_tasks_flow_tree_v1",
    "youtility_tasks_flow_try_lock_v1",
    "youtility_tasks_flow_unskip_v1",
    "youtility_tasks_flow_value_v1",
    "youtility_tasks_flows_overdue_v1",
    "youtility_tasks_flows_prune_v1",
    "youtility_tasks_flows_sweep_v1",
    "youtility_tasks_fold_past_v1",
    "youtility_tasks_fold_v1",
    "youtility_tasks_forget_control_v1",
    "youtility_tasks_fresh_attempts_v1",
    "youtility_tasks_give_back_v1",
    "youtility_tasks_guard_v1",
    "youtility_tasks_hand_over_v1",
    "youtility_tasks_handed_v1",
    "youtility_tasks_has_begun_v1",
    "youtility_tasks_history_days_v1",
    "youtility_tasks_history_gaps_v1",
    "youtility_tasks_import_attempts_v1",
    "youtility_tasks_is_guarded_v1",
    "youtility_tasks_keep_audit_v1",
    "youtility_tasks_keep_days_v1",
    "youtility_tasks_keep_tenant_v1",
    "youtility_tasks_lock_heads_v2",
    "youtility_tasks_locks_v1",
    "youtility_tasks_must_enter_v1",
    "youtility_tasks_next_due_v1",
    "youtility_tasks_note_step_v1",
    "youtility_tasks_offer_v1",
    "youtility_tasks_operation_batch_v1",
    "youtility_tasks_operation_undo_v1",
    "youtility_tasks_owe_v1",
    "youtility_tasks_parked_before_v1",
    "youtility_tasks_parked_v1",
    "youtility_tasks_prioritize_v1",
    "youtility_tasks_progress_v1",
    "youtility_tasks_prune_metrics_v1",
    "youtility_tasks_pump_lone_v1",
    "youtility_tasks_pump_v4",
    "youtility_tasks_put_off_v1",
    "youtility_tasks_queue_sums_v1",
    "youtility_tasks_ready_v2",
    "youtility_tasks_redrive_v1",
    "youtility_tasks_register_v2",
    "youtility_tasks_renew_v1",
    "youtility_tasks_replace_v1",
    "youtility_tasks_rescue_all_v1",
    "youtility_tasks_rescue_v1",
    "youtility_tasks_retry_v1",
    "youtility_tasks_run_now_v1",
    "youtility_tasks_schedule_version_v1",
    "youtility_tasks_scope_v1",
    "youtility_tasks_sealed_keys_v1",
    "youtility_tasks_served_v1",
    "youtility_tasks_signal_sent_v1",
    "youtility_tasks_step_retried_v1",
    "youtility_tasks_steps_ended_v1",
    "youtility_tasks_stop_stragglers_v1",
    "youtility_tasks_sum_day_v1",
    "youtility_tasks_tell_abort_v1",
    "youtility_tasks_tell_operations_v1",
    "youtility_tasks_tell_schedules_v1",
    "youtility_tasks_tenant_v1",
    "youtility_tasks_tenants_ready_v1",
    "youtility_tasks_turns_after_v2",
    "youtility_tasks_turns_v1",
    "youtility_tasks_unfinished_operations_v1",
    "youtility_tasks_unpark_v1",
    "youtility_tasks_unregister_v1",
    "youtility_tasks_used_attempts_v1",
    "youtility_tasks_wake_v1",
)
SUPERSEDED = (
    "youtility_tasks_claim_v1",
    "youtility_tasks_export_totals_v1",
    "youtility_tasks_finish_v1",
    "youtility_tasks_pump_v1",
    "youtility_tasks_pump_v2",
    "youtility_tasks_pump_v3",
    "youtility_tasks_ready_v1",
    "youtility_tasks_register_v1",
    "youtility_tasks_turns_after_v1",
)
"""Functions that only workers of an earlier version call, or claims that were under way, so that they live through a deployment."""
INDEXES = (
    "youtility_tasks_jobs_unique_key",
    "youtility_tasks_jobs_done_key",
    "youtility_tasks_jobs_ready_free",
    "youtility_tasks_jobs_due_free",
    "youtility_tasks_jobs_due_order",
    "youtility_tasks_jobs_ready_locked",
    "youtility_tasks_jobs_due_locked",
    "youtility_tasks_jobs_locks",
    "youtility_tasks_jobs_lock_order",
    "youtility_tasks_jobs_again",
    "youtility_tasks_jobs_dead",
    "youtility_tasks_jobs_dead_groups",
    "youtility_tasks_jobs_dead_letters",
    "youtility_tasks_jobs_dead_of_tenant",
    "youtility_tasks_jobs_left_behind",
    "youtility_tasks_jobs_of_tenant",
    "youtility_tasks_jobs_strays",
    "youtility_tasks_jobs_worker",
    "youtility_tasks_audit_xid",
    "youtility_tasks_batch_xid",
    "youtility_tasks_history_aborted",
    "youtility_tasks_history_called_off",
    "youtility_tasks_history_enqueued",
    "youtility_tasks_history_failed",
    "youtility_tasks_history_job",
    "youtility_tasks_history_tenant",
    "youtility_tasks_history_task",
    "youtility_tasks_history_written",
)
CONSTRAINTS = (
    "youtility_tasks_handed",
    "youtility_tasks_jobs_expires_at",
    "youtility_tasks_jobs_priority",
    "youtility_tasks_wake",
    "yt_edge_from_step_of_run",
    "yt_edge_to_step_of_run",
    "yt_flow_root_of_tenant",
    "yt_history_attempt_from_one",
    "yt_history_status_word",
    "yt_occurrence_of_schedule",
    "yt_operation_undoes_own",
    "yt_signal_for_run_of_tenant",
    "yt_step_in_run_of_tenant",
)


def missing() -> list[str]:
    """What the code needs and the database lacks, as "column procrastinate_jobs.tenant_id"; empty when all is there."""
    tables, expected = _expected()
    rows = queries.fetch("schema_objects", {"tables": sorted(tables), "functions": list(FUNCTIONS)})
    return [f"{kind} {name}" for kind, name in sorted(expected - {(row[0], row[1]) for row in rows})]


def _expected() -> tuple[set[str], set[tuple[str, str]]]:
    tables: set[str] = set()
    expected = {("function", name) for name in FUNCTIONS} | {("index", name) for name in INDEXES}
    expected |= {("constraint", name) for name in CONSTRAINTS}
    # No fields of the models: nobody reads them with the rest.
    expected |= {("column", "procrastinate_jobs.checkpoint"), ("column", "youtility_tasks_history.written_in")}
    expected |= {("column", f"{table}.trace") for table in ("procrastinate_jobs", "youtility_tasks_taskworkflow")}
    for model in apps.get_app_config("youtility_tasks").get_models():
        options = model._meta
        tables.add(options.db_table)
        expected |= {("column", f"{options.db_table}.{each.column}") for each in options.local_fields}
        if options.managed:
            expected |= {("index", index.name) for index in options.indexes if isinstance(index, Index)}
            for constraint in options.constraints:
                # A unique constraint with a condition is an index to PostgreSQL; without one it is both.
                kind = "index" if isinstance(constraint, UniqueConstraint) else "constraint"
                expected.add((kind, constraint.name))
    return tables, expected


def procrastinate_version() -> str:
    """The installed version of procrastinate."""
    return metadata.version("procrastinate")


def procrastinate_is_tested(version: str) -> bool:
    """Whether our tests have run on this version of procrastinate."""
    numbers = tuple(int(part) for part in version.split(".")[:2] if part.isdecimal())
    lowest, beyond = TESTED_PROCRASTINATE
    return lowest <= numbers < beyond


def tested_range() -> str:
    """The tested versions of procrastinate, for people."""
    lowest, beyond = (".".join(map(str, version)) for version in TESTED_PROCRASTINATE)
    return f">= {lowest}, < {beyond}"
