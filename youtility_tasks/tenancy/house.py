"""Who may do what with the house's own tables and functions, as data: the only place that says so."""

from __future__ import annotations

from collections.abc import Mapping

from .rights import (
    ALL_COLUMNS,
    EXPORTER,
    HISTORY,
    JOBS,
    OPS,
    OWNER,
    PATH,
    READ,
    TASK,
    TENANT,
    USERS,
    WEB,
    WORKER,
    Policy,
    Table,
    each_of,
    own,
)

# Who owns a table is bound too: he sees rows inside those functions only, and there no more than the tenant of the
# transaction may, if it has one, whatever the function forgets to ask.
_INSIDE = f"current_setting('search_path') = '{PATH}'"
_LENT = f"{_INSIDE} AND coalesce(tenant_id = {TENANT}, true)"
# procrastinate compares locks over the whole table, so a tenant may only take those that begin with its name. Ids it may not
# name at all: by trying one it would learn whether another has it, and by taking one that is yet to be drawn be in his way.
_OWN_LOCKS = (
    f"{own('tenant_id')} AND coalesce(starts_with(lock, tenant_id || ':'), true)"
    " AND coalesce(starts_with(queueing_lock, tenant_id || ':'), true)"
)
# Nor may it stand before everybody's most urgent job, or wait until an instant that no client can read.
_IN_BOUNDS = (
    "priority <= 10 AND coalesce(date_part('year', scheduled_at) >= 1::double precision, true)"
    " AND coalesce(date_part('year', scheduled_at) <= 9998::double precision, true)"
)
_AT_ONCE = "at >= transaction_timestamp() AND at <= clock_timestamp()"
_OF_OWN_JOB = "EXISTS (SELECT 1 FROM procrastinate_jobs j WHERE j.id = procrastinate_events.job_id)"

_JOB_METADATA = (
    "id", "queue_name", "task_name", "priority", "lock", "queueing_lock", "status", "scheduled_at", "attempts",
    "abort_requested", "worker_id", "tenant_id", "enqueued_at", "claim_number", "claimed_at", "failed_at", "crash_count",
    "rescue_count", "unique_key", "done_key", "noted", "parked_by", "expires_at", "step_id", "fingerprint", "attempts_before",
    "progress", "trace",
)  # fmt: skip
_ATTEMPT_METADATA = (
    "id", "job_id", "task_name", "queue_name", "tenant_id", "priority", "attempt", "claim_number", "worker_id", "host", "pid",
    "enqueued_at", "scheduled_at", "started_at", "finished_at", "wait_ms", "run_ms", "cpu_ms", "peak_memory_kib", "status",
    "outcome", "is_final", "error_class", "written_in",
)  # fmt: skip
"""Without arguments, result, output, and what an error says: that is the tenant's."""
_EFFECT_METADATA = ("id", "tenant_id", "task_name", "status", "job_id", "lease_until", "created_at", "done_at")

_FLOW_METADATA = (
    "id", "tenant_id", "root_id", "parent_step_id", "name", "key", "template_name", "template_version", "status", "returns", "deadline_s",
    "deadline_at", "created_at", "started_at", "ended_at", "cancelled_at", "is_overdue", "noted", "open_count", "failed_count",
    "trace",
)  # fmt: skip
_STEP_METADATA = (
    "id", "tenant_id", "workflow_id", "name", "kind", "status", "needs_all", "edge_count", "pending", "met", "task_name", "queue_name",
    "priority", "wait_s", "run_after", "item", "group_id", "item_index", "open_items", "failed_items", "timeout_s", "timeout_at", "job_id",
    "error_class", "released_at", "ended_at",
)  # fmt: skip
"""Without arguments, context, results and what an error says."""

_MEMBERSHIP = ("tenant_id", "user_id", "role", "created_at")
_TOKEN = ("digest", "name", "user_id", "username", "tenant_id", "role", "created_at", "created_by", "expires_at", "last_used_at", "revoked_at", "revoked_by")  # fmt: skip
_CONTROL = (
    "queue_name", "task_name", "tenant_id", "max_running", "rate_per_s", "burst", "is_paused", "paused_until", "paused_at",
    "paused_by", "reason", "changed_at", "changed_by", "tokens", "refilled_at",
)  # fmt: skip
_SCHEDULE = (
    "tenant_id", "name", "task_name", "args", "tick_argument", "queue_name", "priority", "kind", "cron", "every_s", "at", "zone", "until", "expire_s",
    "days", "working_weekdays", "site_id", "quiet_from", "quiet_to", "jitter_s", "missed", "missed_most", "grace_s", "overlap",
    "is_paused", "paused_at", "paused_until", "paused_by", "pause_reason", "live_jobs", "declared", "version", "created_at",
    "changed_at", "changed_by", "removed_at", "settled_to", "next_at",
)  # fmt: skip
_OCCURRENCE = (
    "tenant_id", "schedule_id", "tick_at", "version", "outcome", "reason", "detail", "job_id", "starts_at", "decided_at",
    "tick_count", "by_hand",
)  # fmt: skip
_HOLIDAY = ("tenant_id", "site_id", "day", "name")
_BRIDGE_ROUTE = ("task_name", "side", "percent", "sticks_to", "version", "changed_at", "changed_by", "reason")
_BRIDGE_RUN = (
    "tenant_id", "task_name", "side", "celery_id", "attempt", "outcome", "wait_ms", "run_ms", "result", "digest", "kept_back",
    "error_class", "error_message", "finished_at",
)  # fmt: skip
_BRIDGE_MOVE = ("tenant_id", "task_name", "celery_id", "queue_name", "message", "at")
_BRIDGE_SCHEDULE = ("tenant_id", "source", "source_key", "name", "status", "schedule_id", "said", "was", "changed_at")
_VIEW = ("tenant_id", "user_key", "name", "query", "created_at")
_REDRIVE = (
    "tenant_id", "task_name", "queue_name", "fingerprint", "failed_since", "failed_until", "rate_per_s", "edits", "edited", "key",
    "reason", "started_by", "total_count", "done_count", "refused_count", "refused", "after_id", "next_at", "ended_at", "is_stopped",
)  # fmt: skip
_REDRIVE_MOVES = (
    "total_count",
    "done_count",
    "refused_count",
    "refused",
    "after_id",
    "next_at",
    "ended_at",
    "is_stopped",
    "edits",
)
_OPERATION = (
    "tenant_id", "act", "filter", "priority", "rate_per_s", "undoes_id", "reason", "started_by", "started_at", "newest_id", "total_count",
    "done_count", "refused_count", "refused", "after_id", "next_at", "ended_at", "is_stopped",
)  # fmt: skip
_OPERATION_MOVES = ("done_count", "refused_count", "refused", "after_id", "next_at", "ended_at", "is_stopped")
_BATCH = ("id", "operation_id", "tenant_id", "job_ids", "made_at", "undone_at")
"""Without how the jobs stood, which is for the undo alone."""
_BRIDGE_CALL = ("tenant_id", "celery_id", "job_id", "workflow_id", "step", "task_name", "side", "at")
_AUDIT = ("at", "actor", "act", "target", "tenant_id", "reason", "before", "after")

_TEMPLATE = ("tenant_id", "name", "version", "definition", "created_at", "created_by")


def _of_flows(name: str, *, ops: tuple[str, ...]) -> Table:
    """A table of workflows: written by the functions of migration 0021 alone, read by whose it is."""
    return Table(
        name,
        {
            **each_of(USERS, READ),
            OPS: {"SELECT": ops},
            OWNER: {each: ALL_COLUMNS for each in ("SELECT", "INSERT", "UPDATE", "DELETE")},
        },
        (
            Policy("yt_own", USERS, "SELECT", own("tenant_id")),
            Policy("yt_ops", (OPS,), "SELECT", "true"),
            Policy("yt_owner", (OWNER,), "ALL", _LENT),
        ),
    )


TABLES = (
    Table(
        JOBS,
        {
            WORKER: {
                "SELECT": ALL_COLUMNS,
                "UPDATE": (
                    "status",
                    "worker_id",
                    "claim_number",
                    "claimed_at",
                    "attempts",
                    "crash_count",
                    "rescue_count",
                    "scheduled_at",
                    "failed_at",
                    "fingerprint",
                    "abort_requested",
                    "queueing_lock",
                    "parked_by",
                    "progress",
                    "progress_note",
                ),
                "DELETE": ALL_COLUMNS,
            },
            **each_of(
                USERS,
                {
                    "SELECT": ALL_COLUMNS,
                    "INSERT": (
                        "queue_name",
                        "task_name",
                        "priority",
                        "lock",
                        "queueing_lock",
                        "args",
                        "scheduled_at",
                        "expires_at",
                        "unique_key",
                        "done_key",
                        "tenant_id",
                        "noted",
                    ),
                },
            ),
            OPS: {"SELECT": _JOB_METADATA},
            OWNER: {each: ALL_COLUMNS for each in ("SELECT", "INSERT", "UPDATE", "DELETE")},
        },
        (
            Policy("yt_worker", (WORKER,), "ALL", "true"),
            Policy("yt_own", USERS, "SELECT", own("tenant_id")),
            Policy("yt_own_new", USERS, "INSERT", None, f"{_OWN_LOCKS} AND {_IN_BOUNDS}"),
            Policy("yt_ops", (OPS,), "SELECT", "true"),
            Policy("yt_owner", (OWNER,), "ALL", _LENT),
        ),
    ),
    Table(
        "procrastinate_events",
        {
            WORKER: {"SELECT": ALL_COLUMNS, "INSERT": ALL_COLUMNS},
            **each_of(USERS, {"SELECT": ALL_COLUMNS, "INSERT": ("job_id", "type", "at")}),
            OWNER: {"SELECT": ALL_COLUMNS, "INSERT": ALL_COLUMNS},
        },
        (
            Policy("yt_worker", (WORKER,), "ALL", "true"),
            Policy("yt_own", USERS, "SELECT", _OF_OWN_JOB),
            Policy("yt_own_new", USERS, "INSERT", None, _OF_OWN_JOB),
            Policy("yt_owner", (OWNER,), "ALL", _INSIDE),
        ),
    ),
    Table(
        "procrastinate_workers",
        {
            WORKER: {**READ, "INSERT": ALL_COLUMNS, "UPDATE": ("last_heartbeat",), "DELETE": ALL_COLUMNS},
            **each_of((OPS, OWNER), READ),
        },
    ),
    Table(
        # On which channel a worker takes a job for its own: whoever knows it could have anything run.
        "youtility_tasks_offer",
        {WORKER: {each: ALL_COLUMNS for each in ("SELECT", "INSERT", "UPDATE", "DELETE")}, OWNER: READ},
    ),
    Table(
        "procrastinate_periodic_defers",
        each_of((WORKER, OWNER), {"SELECT": ALL_COLUMNS, "UPDATE": ("job_id",)}),
    ),
    Table(
        HISTORY,
        {WORKER: {"INSERT": ALL_COLUMNS}, **each_of(USERS, READ), OPS: {"SELECT": _ATTEMPT_METADATA}},
        (
            Policy("yt_worker", (WORKER,), "INSERT", None, "true"),
            Policy("yt_own", USERS, "SELECT", own("tenant_id")),
            Policy("yt_ops", (OPS,), "SELECT", "true"),
            Policy("yt_owner", (OWNER,), "ALL", _LENT),
        ),
        owned=True,
    ),
    Table(
        # Counts and durations: an operator may know how much a tenant does, and how fast it goes.
        "youtility_tasks_taskperformancemetrics",
        {
            **each_of((*USERS, OPS), READ),
            OWNER: {each: ALL_COLUMNS for each in ("SELECT", "INSERT", "UPDATE", "DELETE")},
        },
        (
            Policy("yt_own", USERS, "SELECT", own("tenant_id")),
            Policy("yt_ops", (OPS,), "SELECT", "true"),
            Policy("yt_owner", (OWNER,), "ALL", _LENT),
        ),
    ),
    Table(
        "youtility_tasks_metricssum",
        {
            **each_of((*USERS, OPS), READ),
            OWNER: {each: ALL_COLUMNS for each in ("SELECT", "INSERT", "UPDATE", "DELETE")},
        },
        (
            Policy("yt_own", USERS, "SELECT", own("tenant_id")),
            Policy("yt_ops", (OPS,), "SELECT", "true"),
            Policy("yt_owner", (OWNER,), "ALL", _LENT),
        ),
    ),
    # The exporter's, over all tenants: it reads them by a function.
    Table(
        "youtility_tasks_metricstotal",
        {OPS: READ, OWNER: {each: ALL_COLUMNS for each in ("SELECT", "INSERT", "UPDATE")}},
    ),
    Table(
        "youtility_tasks_queuesnapshot",
        {
            **each_of((*USERS, OPS), READ),
            OWNER: {each: ALL_COLUMNS for each in ("SELECT", "INSERT", "UPDATE", "DELETE")},
        },
        (
            Policy("yt_own", USERS, "SELECT", own("tenant_id")),
            Policy("yt_ops", (OPS,), "SELECT", "true"),
            Policy("yt_owner", (OWNER,), "ALL", _LENT),
        ),
    ),
    Table(
        "youtility_tasks_snapshotmark",
        {**each_of((*USERS, OPS), READ), OWNER: {each: ALL_COLUMNS for each in ("SELECT", "INSERT", "UPDATE")}},
    ),
    Table(
        # Without the highest id: from one look to the next it says how much others do.
        "youtility_tasks_metricsmark",
        {
            **each_of(USERS, {"SELECT": ("upto", "open", "base_id", "folded_at")}),
            OPS: READ,
            OWNER: {each: ALL_COLUMNS for each in ("SELECT", "INSERT", "UPDATE")},
        },
    ),
    Table(
        "youtility_tasks_taskeffect",
        {
            **each_of(
                USERS,
                {
                    "SELECT": ALL_COLUMNS,
                    "INSERT": (
                        "tenant_id",
                        "key",
                        "task_name",
                        "bu_id",
                        "status",
                        "job_id",
                        "lease_until",
                        "payload",
                        "note",
                        "created_at",
                        "done_at",
                    ),
                    "UPDATE": ("status", "job_id", "lease_until", "payload", "note", "done_at"),
                    "DELETE": ALL_COLUMNS,
                },
            ),
            OPS: {"SELECT": _EFFECT_METADATA},
        },
        (
            Policy("yt_own", USERS, "ALL", own("tenant_id")),
            Policy("yt_ops", (OPS,), "SELECT", "true"),
        ),
    ),
    Table(
        "youtility_tasks_bridgecall",
        {
            WORKER: {"SELECT": ("id", "at", "job_id"), "DELETE": ALL_COLUMNS},
            **each_of(USERS, {"SELECT": ALL_COLUMNS, "INSERT": _BRIDGE_CALL, "UPDATE": _BRIDGE_CALL[2:]}),
            OPS: {"SELECT": ALL_COLUMNS, "INSERT": _BRIDGE_CALL, "UPDATE": _BRIDGE_CALL[2:]},
        },
        (
            Policy("yt_worker", (WORKER,), "ALL", "true"),
            Policy("yt_own", USERS, "ALL", own("tenant_id")),
            Policy("yt_ops", (OPS,), "ALL", "true"),
        ),
    ),
    Table(
        "youtility_tasks_uniquekey",
        {
            WORKER: {"SELECT": ("id", "held_until"), "DELETE": ALL_COLUMNS},
            **each_of(
                USERS,
                {
                    "SELECT": ALL_COLUMNS,
                    "INSERT": ("tenant_id", "task_name", "key", "job_id", "held_until"),
                    "UPDATE": ("job_id", "held_until"),
                    "DELETE": ALL_COLUMNS,
                },
            ),
            OPS: READ,
            OWNER: {"SELECT": ALL_COLUMNS, "DELETE": ALL_COLUMNS},
        },
        (
            Policy("yt_worker", (WORKER,), "ALL", "true"),
            Policy("yt_own", USERS, "ALL", own("tenant_id")),
            Policy("yt_ops", (OPS,), "SELECT", "true"),
            Policy("yt_owner", (OWNER,), "ALL", _LENT),
        ),
    ),
    Table(
        "youtility_tasks_tenant",
        {
            WORKER: {"SELECT": ("id", "is_active", "weight", "deactivated_at")},
            **each_of((TASK, OWNER), READ),
            # A tenant's share beside others, and whether it works at all, are not its own to say.
            WEB: {**READ, "INSERT": ALL_COLUMNS, "UPDATE": ("name", "zone")},
            OPS: {
                **READ,
                "INSERT": ALL_COLUMNS,
                "UPDATE": ("name", "zone", "is_active", "weight", "deactivated_at", "deactivated_reason"),
            },
        },
        (
            Policy("yt_worker", (WORKER,), "SELECT", "true"),
            Policy("yt_owner", (OWNER,), "SELECT", _INSIDE),
            # A sweep lists the tenants, to enter each of them.
            Policy("yt_own", USERS, "SELECT", f"{own('id')} OR {TENANT} = 0"),
            Policy("yt_own_new", (WEB,), "INSERT", None, own("id")),
            Policy("yt_own_changed", (WEB,), "UPDATE", own("id")),
            Policy("yt_ops", (OPS,), "ALL", "true"),
        ),
    ),
    Table(
        "youtility_tasks_tenantmembership",
        {
            **each_of((TASK, OWNER), READ),
            **each_of(
                (WEB, OPS),
                {**READ, "INSERT": _MEMBERSHIP, "UPDATE": _MEMBERSHIP, "DELETE": ALL_COLUMNS},
            ),
        },
        (
            # Who somebody is must be known before for which tenant he acts.
            Policy("yt_own", USERS, "SELECT", f"{own('tenant_id')} OR {TENANT} = 0"),
            Policy("yt_own_changed", (WEB,), "ALL", own("tenant_id")),
            Policy("yt_ops", (OPS,), "ALL", "true"),
            Policy("yt_owner", (OWNER,), "SELECT", _INSIDE),
        ),
    ),
    Table(
        # Whose a token is only a function of the owner's says, to who shows the token itself.
        "youtility_tasks_apitoken",
        {
            **each_of(
                (WEB, OPS),
                {
                    "SELECT": ("id", *(each for each in _TOKEN if each != "digest")),
                    "INSERT": _TOKEN,
                    "UPDATE": ("revoked_at", "revoked_by"),
                    "DELETE": ALL_COLUMNS,
                },
            ),
            OWNER: {"SELECT": ALL_COLUMNS, "UPDATE": ("last_used_at",)},
        },
        (
            Policy("yt_own", (WEB,), "ALL", own("tenant_id")),
            Policy("yt_ops", (OPS,), "ALL", "true"),
            Policy("yt_owner", (OWNER,), "ALL", _INSIDE),
        ),
    ),
    Table(
        "youtility_tasks_apiallowance",
        {OWNER: {each: ALL_COLUMNS for each in ("SELECT", "INSERT", "UPDATE")}},
    ),
    Table(
        "youtility_tasks_queuecontrol",
        {
            WORKER: {**READ, "UPDATE": ("tokens", "refilled_at"), "DELETE": ALL_COLUMNS},
            **each_of((TASK, OWNER), READ),
            **each_of((WEB, OPS), {**READ, "INSERT": _CONTROL, "UPDATE": _CONTROL}),
        },
        (
            Policy("yt_worker", (WORKER,), "ALL", "true"),
            # What is set for all tenants keeps each of them, and each may learn why his job waits.
            Policy("yt_own", USERS, "SELECT", f"{own('tenant_id')} OR tenant_id IS NULL"),
            Policy("yt_own_changed", (WEB,), "ALL", own("tenant_id")),
            Policy("yt_ops", (OPS,), "ALL", "true"),
            Policy("yt_owner", (OWNER,), "SELECT", _INSIDE),
        ),
    ),
    Table(
        "youtility_tasks_scheduledtask",
        {
            WORKER: {"SELECT": ("id", "tenant_id", "next_at")},
            **each_of(USERS, {"SELECT": ALL_COLUMNS, "INSERT": _SCHEDULE, "UPDATE": _SCHEDULE}),
            OPS: {
                "SELECT": ("id", *(each for each in _SCHEDULE if each not in {"args", "declared"})),
                "UPDATE": ("next_at", "settled_to"),  # a tenant's zone has changed
            },
            OWNER: {"SELECT": ("id", "tenant_id", "name", "next_at", "is_paused", "declared", "removed_at")},
        },
        (
            # A worker sees when to look; what it fires, it fires as a task of the tenant.
            Policy("yt_worker", (WORKER,), "SELECT", "true"),
            Policy("yt_own", USERS, "ALL", own("tenant_id")),
            Policy("yt_ops", (OPS,), "ALL", "true"),
            Policy("yt_owner", (OWNER,), "SELECT", _LENT),
        ),
    ),
    Table(
        "youtility_tasks_scheduledtaskexecution",
        {
            WORKER: {"SELECT": ("id", "decided_at"), "DELETE": ALL_COLUMNS},
            **each_of(
                USERS,
                {"SELECT": ALL_COLUMNS, "INSERT": _OCCURRENCE, "UPDATE": ("job_id", "outcome", "reason", "detail")},
            ),
            OPS: {"SELECT": ("id", *(each for each in _OCCURRENCE if each != "detail"))},
        },
        (
            Policy("yt_worker", (WORKER,), "ALL", "true"),
            Policy("yt_own", USERS, "ALL", own("tenant_id")),
            Policy("yt_ops", (OPS,), "SELECT", "true"),
        ),
    ),
    Table(
        "youtility_tasks_scheduleholiday",
        {
            **each_of(USERS, {"SELECT": ALL_COLUMNS, "INSERT": _HOLIDAY, "UPDATE": _HOLIDAY, "DELETE": ALL_COLUMNS}),
            OPS: READ,
        },
        (
            Policy("yt_own", USERS, "ALL", own("tenant_id")),
            Policy("yt_ops", (OPS,), "SELECT", "true"),
        ),
    ),
    Table(
        # By no tenant's id: whoever calls a task asks where it goes. An operator changes it.
        "youtility_tasks_bridgeroute",
        {
            **each_of((*USERS, WORKER), READ),
            OPS: {**READ, "INSERT": _BRIDGE_ROUTE, "UPDATE": _BRIDGE_ROUTE, "DELETE": ALL_COLUMNS},
        },
    ),
    Table(
        "youtility_tasks_bridgerun",
        {
            WORKER: {"SELECT": ("id", "finished_at"), "DELETE": ALL_COLUMNS},
            **each_of(USERS, {"SELECT": ALL_COLUMNS, "INSERT": _BRIDGE_RUN}),
            OPS: {
                "SELECT": ("id", *(each for each in _BRIDGE_RUN if each not in {"result", "error_message"})),
                "DELETE": ALL_COLUMNS,
            },
        },
        (
            Policy("yt_worker", (WORKER,), "ALL", "true"),
            Policy("yt_own", USERS, "ALL", own("tenant_id")),
            Policy("yt_ops", (OPS,), "ALL", "true"),
        ),
    ),
    Table(
        "youtility_tasks_bridgemove",
        {
            **each_of(USERS, {"SELECT": ALL_COLUMNS, "INSERT": _BRIDGE_MOVE, "DELETE": ALL_COLUMNS}),
            OPS: {"SELECT": ("id", *(each for each in _BRIDGE_MOVE if each != "message"))},
        },
        (
            Policy("yt_own", USERS, "ALL", own("tenant_id")),
            Policy("yt_ops", (OPS,), "SELECT", "true"),
        ),
    ),
    Table(
        # Of what Celery's Beat held before us, and still would: a tenant may see its own, set-up and whoever moves schedules all of it.
        "youtility_tasks_bridgeschedule",
        {
            **each_of(
                USERS,
                {
                    "SELECT": ALL_COLUMNS,
                    "INSERT": _BRIDGE_SCHEDULE,
                    "UPDATE": _BRIDGE_SCHEDULE,
                    "DELETE": ALL_COLUMNS,
                },
            ),
            OPS: {"SELECT": ("id", *(each for each in _BRIDGE_SCHEDULE if each not in {"said", "was"}))},
        },
        (
            Policy("yt_own", USERS, "ALL", own("tenant_id")),
            Policy("yt_ops", (OPS,), "SELECT", "true"),
        ),
    ),
    Table(
        "youtility_tasks_savedview",
        each_of(
            (*USERS, OPS),
            {"SELECT": ALL_COLUMNS, "INSERT": _VIEW, "UPDATE": ("query",), "DELETE": ALL_COLUMNS},
        ),
        (
            Policy("yt_own", USERS, "ALL", own("tenant_id")),
            Policy("yt_ops", (OPS,), "ALL", "true"),
        ),
    ),
    Table(
        "youtility_tasks_redrive",
        {
            WORKER: {"SELECT": ("id", "ended_at"), "DELETE": ALL_COLUMNS},
            **each_of(USERS, {"SELECT": ALL_COLUMNS, "INSERT": _REDRIVE, "UPDATE": _REDRIVE_MOVES}),
            OPS: {
                "SELECT": ("id", "started_at", *(each for each in _REDRIVE if each != "edits")),
                "INSERT": _REDRIVE,
                "UPDATE": _REDRIVE_MOVES,
                "DELETE": ALL_COLUMNS,
            },
        },
        (
            Policy("yt_worker", (WORKER,), "ALL", "true"),
            Policy("yt_own", USERS, "ALL", own("tenant_id")),
            Policy("yt_ops", (OPS,), "ALL", "true"),
        ),
    ),
    Table(
        "youtility_tasks_taskoperation",
        {
            WORKER: {"SELECT": ("id", "tenant_id", "ended_at", "undoes_id")},
            **each_of((*USERS, OPS), {"SELECT": ALL_COLUMNS, "INSERT": _OPERATION, "UPDATE": _OPERATION_MOVES}),
            OWNER: READ,
        },
        (
            # A worker sees that there is one; what it does of it, it does as a task of the tenant, or as an operator.
            Policy("yt_worker", (WORKER,), "SELECT", "true"),
            Policy("yt_own", USERS, "ALL", own("tenant_id")),
            Policy("yt_ops", (OPS,), "ALL", "true"),
            Policy("yt_owner", (OWNER,), "SELECT", _LENT),
        ),
    ),
    Table(
        "youtility_tasks_operationbatch",
        {
            WORKER: {"SELECT": ("id", "operation_id", "was"), "UPDATE": ("was",)},
            **each_of((*USERS, OPS), {"SELECT": _BATCH}),
            OWNER: {
                "SELECT": ALL_COLUMNS,
                "INSERT": ("operation_id", "tenant_id", "job_ids", "was"),
                "UPDATE": ("undone_at",),
            },
        },
        (
            Policy("yt_worker", (WORKER,), "ALL", "true"),
            Policy("yt_own", USERS, "SELECT", own("tenant_id")),
            Policy("yt_ops", (OPS,), "SELECT", "true"),
            Policy("yt_owner", (OWNER,), "ALL", _LENT),
        ),
    ),
    Table("youtility_tasks_owed", {OWNER: {each: ALL_COLUMNS for each in ("SELECT", "INSERT", "DELETE")}}),
    Table(
        "youtility_tasks_taskauditlog",
        each_of((TASK, WEB, OPS, OWNER), {"SELECT": ALL_COLUMNS, "INSERT": _AUDIT}),
        (
            # What the owner does for a tenant (`rekey`) is entered as that tenant's. His trigger enters what nobody has entered as a
            # transaction ends, when the token may be over: of it none is asked.
            Policy(
                "yt_owner", (OWNER,), "ALL", _INSIDE, f"{_INSIDE} AND (act = 'changed by SQL' OR {own('tenant_id')})"
            ),
            Policy("yt_own", USERS, "SELECT", own("tenant_id")),
            Policy("yt_own_new", USERS, "INSERT", None, f"{own('tenant_id')} AND {_AT_ONCE}"),
            Policy("yt_ops", (OPS,), "ALL", "true"),
        ),
    ),
    Table(
        "youtility_tasks_taskworker",
        {
            WORKER: {each: ALL_COLUMNS for each in ("SELECT", "INSERT", "UPDATE")},
            OPS: {**READ, "UPDATE": ("told", "told_at", "told_by", "told_reason")},
            OWNER: {"SELECT": ALL_COLUMNS, "UPDATE": ("status",), "DELETE": ALL_COLUMNS},
        },
    ),
    Table(
        "youtility_tasks_workerheartbeat",
        {WORKER: {each: ALL_COLUMNS for each in ("SELECT", "INSERT", "DELETE")}, OPS: READ},
    ),
    Table(
        "youtility_tasks_queuecounter",
        {WORKER: {each: ALL_COLUMNS for each in ("SELECT", "INSERT", "UPDATE")}, **each_of((OPS, OWNER), READ)},
    ),
    Table(
        "youtility_tasks_upkeepduty",
        {WORKER: {each: ALL_COLUMNS for each in ("SELECT", "INSERT", "UPDATE")}, OPS: READ},
    ),
    _of_flows("youtility_tasks_taskworkflow", ops=_FLOW_METADATA),
    _of_flows("youtility_tasks_workflowstep", ops=_STEP_METADATA),
    _of_flows("youtility_tasks_taskdependency", ops=ALL_COLUMNS),
    _of_flows("youtility_tasks_workflowsignal", ops=("id", "tenant_id", "workflow_id", "name", "sent_at", "sent_by")),
    Table(
        "youtility_tasks_workflowtemplate",
        {
            **each_of(USERS, {"SELECT": ALL_COLUMNS, "INSERT": _TEMPLATE}),
            OPS: {"SELECT": ALL_COLUMNS, "INSERT": _TEMPLATE},
        },
        (
            # Everybody may start what is everybody's; only operators store it.
            Policy("yt_own", USERS, "SELECT", f"{own('tenant_id')} OR tenant_id = 0"),
            Policy("yt_own_new", USERS, "INSERT", None, f"{own('tenant_id')} AND tenant_id > 0"),
            Policy("yt_ops", (OPS,), "ALL", "true"),
        ),
    ),
    Table("youtility_tasks_keys", {}, owned=True),
    Table("django_migrations", each_of((WORKER, *USERS, OPS), READ)),
)

_ACTS = (
    "youtility_tasks_cancel_v1",
    "youtility_tasks_abort_v1",
    "youtility_tasks_retry_v1",
    "youtility_tasks_redrive_v1",
    "youtility_tasks_prioritize_v1",
    "youtility_tasks_run_now_v1",
)
_BATCHES = ("youtility_tasks_operation_batch_v1", "youtility_tasks_operation_undo_v1")
"""Of operations: whoever asks for one in the web leaves the doing to workers."""
_OF_ERRORS = ("youtility_tasks_error_place_v1", "youtility_tasks_error_words_v1", "youtility_tasks_fingerprint_v1")
"""Of their arguments alone; they read no row."""
_OF_REASONS = (
    "youtility_tasks_before_v1",
    "youtility_tasks_controls_v1",
    "youtility_tasks_parked_before_v1",
    "youtility_tasks_parked_v1",
    "youtility_tasks_tenants_ready_v1",
)
"""Why a job waits; each part sees no more rows in them than anywhere else."""
_OF_THE_WORKER = (
    "youtility_tasks_claim_v1", "youtility_tasks_claim_v2", "youtility_tasks_claim_limited_v1", "youtility_tasks_due_v1", "youtility_tasks_forget_control_v1", "youtility_tasks_unpark_v1",
    "youtility_tasks_floors_after_v1", "youtility_tasks_locks_v1", "youtility_tasks_ready_v1", "youtility_tasks_ready_v2", "youtility_tasks_turns_after_v1", "youtility_tasks_turns_after_v2",
    "youtility_tasks_turns_v1", "youtility_tasks_enter_strays_v1", "youtility_tasks_finish_v1",
    "youtility_tasks_finish_v2", "youtility_tasks_first_of_locks_v1", "youtility_tasks_give_back_v1",
    "youtility_tasks_lock_heads_v2", "youtility_tasks_next_due_v1", "youtility_tasks_pump_v1", "youtility_tasks_pump_v2", "youtility_tasks_pump_v3", "youtility_tasks_pump_v4", "youtility_tasks_claim_lone_v1", "youtility_tasks_pump_lone_v1", "youtility_tasks_due_schedules_v1", "youtility_tasks_unfinished_operations_v1", "youtility_tasks_offer_v1", "youtility_tasks_register_v1",
    "youtility_tasks_register_v2", "youtility_tasks_renew_v1", "youtility_tasks_rescue_all_v1", "youtility_tasks_rescue_v1",
    "youtility_tasks_unregister_v1", "youtility_tasks_add_history_day_v1", "youtility_tasks_progress_v1",
)  # fmt: skip
_OF_FLOWS = (
    "youtility_tasks_flow_advance_v1", "youtility_tasks_flow_args_v1", "youtility_tasks_flow_check_v1", "youtility_tasks_flow_jobs_ended_v1", "youtility_tasks_flow_value_v1",
    "youtility_tasks_flow_lock_v1", "youtility_tasks_flow_release_v1", "youtility_tasks_flow_settle_v1", "youtility_tasks_flow_skip_inside_v1", "youtility_tasks_flow_skip_v1",
    "youtility_tasks_flow_stop_v1", "youtility_tasks_flow_tree_v1", "youtility_tasks_flow_try_lock_v1", "youtility_tasks_flow_unskip_v1",
)  # fmt: skip
"""What the functions below are made of; nobody calls them by himself."""
_FLOW_ACTS = ("youtility_tasks_flow_cancel_v1", "youtility_tasks_flow_retry_v1", "youtility_tasks_flow_signal_v1")
_FLOW_UPKEEP = ("youtility_tasks_flows_overdue_v1", "youtility_tasks_flows_sweep_v1", "youtility_tasks_flows_prune_v1")
FUNCTIONS: Mapping[str, tuple[str, ...]] = {
    **dict.fromkeys(_OF_FLOWS, (OWNER,)),
    **dict.fromkeys(_FLOW_ACTS, (*USERS, OPS)),
    **dict.fromkeys(_FLOW_UPKEEP, (WORKER,)),
    "youtility_tasks_flow_start_v1": USERS,
    **dict.fromkeys(_OF_THE_WORKER, (WORKER,)),
    **dict.fromkeys(_ACTS, (*USERS, OPS)),
    **dict.fromkeys(_BATCHES, (TASK, OPS)),
    "youtility_tasks_must_enter_v1": (WEB, OPS),
    "youtility_tasks_is_guarded_v1": (OWNER,),
    **dict.fromkeys(_OF_REASONS, (WORKER, *USERS, OPS)),
    **dict.fromkeys(_OF_ERRORS, (WORKER, *USERS, OPS, OWNER)),
    "youtility_tasks_any_tenant_v1": (OPS,),
    "youtility_tasks_checkpoint_v1": (TASK,),
    "youtility_tasks_api_token_v1": (WEB,),
    "youtility_tasks_api_take_v1": (WEB,),
    "youtility_tasks_served_v1": (*USERS, OPS),
    "youtility_tasks_claim_for_v1": (OWNER,),
    "youtility_tasks_hand_over_v1": (OWNER,),
    "youtility_tasks_enqueue_v1": USERS,
    "youtility_tasks_enqueue_one_v1": USERS,
    "youtility_tasks_enqueue_expiring_v1": USERS,
    "youtility_tasks_enqueue_signed_v1": USERS,
    "youtility_tasks_enqueue_unique_v1": USERS,
    "youtility_tasks_replace_v1": USERS,
    "youtility_tasks_tenant_v1": USERS,
    "youtility_tasks_history_gaps_v1": (WORKER, OPS),
    "youtility_tasks_history_days_v1": (OWNER,),
    "youtility_tasks_keep_days_v1": (OWNER,),
    "youtility_tasks_queue_sums_v1": (OPS, EXPORTER),
    "youtility_tasks_export_totals_v1": (OPS, EXPORTER),
    "youtility_tasks_export_totals_v2": (OPS, EXPORTER),
    "youtility_tasks_export_present_v1": (OPS, EXPORTER),
    "youtility_tasks_fold_v1": (WORKER,),
    "youtility_tasks_sum_day_v1": (WORKER,),
    "youtility_tasks_fresh_attempts_v1": (*USERS, OPS),
    "youtility_tasks_count_queues_v1": (WORKER,),
    "youtility_tasks_counted_v1": (*USERS, OPS, OWNER),
    "youtility_tasks_glance_v1": (*USERS, OPS),
    "youtility_tasks_fold_past_v1": (WORKER,),
    "youtility_tasks_prune_metrics_v1": (WORKER, OPS),
    "youtility_tasks_add_attempts_v1": (OWNER,),
    "youtility_tasks_add_buckets_v1": (OWNER,),
    "youtility_tasks_bucket_v1": (*USERS, OPS, OWNER),
    "youtility_tasks_sealed_keys_v1": (OPS,),
    "get_queue_statistics": (*USERS, OPS, OWNER),
    "youtility_tasks_stop_stragglers_v1": (WORKER,),
    "youtility_tasks_import_attempts_v1": USERS,
    "youtility_tasks_used_attempts_v1": USERS,
    "cleanup_old_tasks": (WORKER, OPS),
}
DEFINERS = frozenset(
    {
        *_ACTS,
        *_BATCHES,
        *_FLOW_ACTS,
        *_FLOW_UPKEEP,
        "youtility_tasks_checkpoint_v1",
        "youtility_tasks_api_token_v1",
        "youtility_tasks_api_take_v1",
        "youtility_tasks_served_v1",
        "youtility_tasks_flow_start_v1",
        "youtility_tasks_replace_v1",
        "youtility_tasks_signal_sent_v1",
        "youtility_tasks_step_retried_v1",
        "youtility_tasks_steps_ended_v1",
        "youtility_tasks_scope_v1",
        "youtility_tasks_tenant_v1",
        "youtility_tasks_queue_sums_v1",
        "youtility_tasks_sealed_keys_v1",
        "youtility_tasks_wake_v1",
        "youtility_tasks_history_gaps_v1",
        "youtility_tasks_add_history_day_v1",
        "youtility_tasks_drop_history_day_v1",
        "youtility_tasks_stop_stragglers_v1",
        "youtility_tasks_keep_tenant_v1",
        "youtility_tasks_enter_v1",
        "youtility_tasks_export_totals_v1",
        "youtility_tasks_export_totals_v2",
        "youtility_tasks_export_present_v1",
        "youtility_tasks_fold_v1",
        "youtility_tasks_sum_day_v1",
        "youtility_tasks_count_queues_v1",
        "youtility_tasks_fold_past_v1",
        "youtility_tasks_prune_metrics_v1",
        "youtility_tasks_guard_v1",
        "youtility_tasks_owe_v1",
        "youtility_tasks_import_attempts_v1",
        "youtility_tasks_used_attempts_v1",
        "cleanup_old_tasks",
    }
)
