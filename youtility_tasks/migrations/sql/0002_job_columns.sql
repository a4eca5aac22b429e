-- What the house knows of a job beyond procrastinate. Every column has a default, so procrastinate's own functions,
-- command line and admin go on working. The tenant's default comes from the transaction's setting when there is one.
ALTER TABLE procrastinate_jobs
    ADD COLUMN tenant_id integer NOT NULL DEFAULT coalesce(nullif(current_setting('youtility_tasks.tenant', true), '')::integer, 0),
    ADD COLUMN enqueued_at timestamptz NOT NULL DEFAULT now(),
    ADD COLUMN claim_number bigint NOT NULL DEFAULT 0,
    ADD COLUMN claimed_at timestamptz,
    ADD COLUMN failed_at timestamptz,
    ADD COLUMN crash_count smallint NOT NULL DEFAULT 0,
    ADD COLUMN rescue_count smallint NOT NULL DEFAULT 0,
    ADD COLUMN unique_key text;

-- `using(unique=...)`: one waiting or running job per tenant, task and key.
CREATE UNIQUE INDEX youtility_tasks_jobs_unique_key ON procrastinate_jobs (tenant_id, task_name, unique_key)
    WHERE unique_key IS NOT NULL AND status IN ('todo', 'doing');

-- The claim's three ways in. `-priority` as an expression: only these indexes give that order, so the planner cannot
-- fall back to procrastinate's (priority, id) index, which walks every queue's backlog.
CREATE INDEX youtility_tasks_jobs_ready ON procrastinate_jobs (queue_name, (-priority), id)
    WHERE status = 'todo' AND scheduled_at IS NULL;
CREATE INDEX youtility_tasks_jobs_due ON procrastinate_jobs (queue_name, scheduled_at)
    WHERE status = 'todo' AND scheduled_at IS NOT NULL;
CREATE INDEX youtility_tasks_jobs_lock_order ON procrastinate_jobs (lock, (-priority), id)
    WHERE status = 'todo' AND lock IS NOT NULL;
CREATE INDEX youtility_tasks_jobs_dead_letters ON procrastinate_jobs (queue_name, failed_at) WHERE status = 'failed';
