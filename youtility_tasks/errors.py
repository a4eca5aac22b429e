"""Every exception of the house, drawn as a tree.

::

    YoutilityTaskError
    ├── ConfigurationError          a setting or a declaration that cannot work
    │   ├── UnknownQueue            (an EnqueueError, too)
    │   ├── WrongOption             (an EnqueueError, too)
    │   ├── ExtraMissing            a package that only an extra brings is not there
    │   └── UnsafeDatabase          a worker will not run on it
    │       ├── CommitsCanBeLost    what was acknowledged may be gone after a crash
    │       ├── RoleTooPowerful     row level security does not bind it
    │       ├── TransactionPooler   consecutive statements reach different sessions
    │       ├── WrongDirectDatabase it is not the database that Django uses
    │       ├── NoStandby           what is acknowledged is to be on a standby, and need not be
    │       └── TenantsNotApart     roles, rights or policies are not what keeps tenants apart
    ├── EnqueueError                a call that was refused; nothing was written
    │   ├── WrongArguments          they do not fit the task's signature (a TypeError, too)
    │   ├── NotJson                 NaN, NUL, lone surrogate, a set, an object, ... (a TypeError, too)
    │   ├── TooDeep / TooLarge
    │   ├── NaiveDatetime
    │   ├── NoTenant / UnknownTenant
    │   ├── TenantElsewhere         the tenant is on another database than the one that this worker serves
    │   ├── TenantOfAnotherJob      a job of one tenant was about to work for another
    │   ├── WrongTransaction        the caller's transaction is on another database than the tenant
    │   ├── UnknownTask
    │   ├── NotOfCelery             an option or attribute of Celery's that is not here (an AttributeError, too)
    │   ├── SecretInKey             a lock or unique key that would show a marked argument
    │   ├── NotYetBuilt
    │   └── WrongWorkflow           steps and edges that cannot be meant
    │       ├── Circle              steps that wait for each other
    │       ├── UnknownStep         an edge or a reference to a step that is not in the workflow
    │       ├── UnsureResult        a result that may not be there when the step runs
    │       └── UnknownTemplate     no template has this name, or this version
    ├── TaskError                   what a task raises to say how its failure is meant
    │   ├── BadInput                never retried
    │   │   ├── NotRetried          procrastinate's retry strategy said so of a task of its own
    │   │   ├── ResultMissing       a step's result that this step refers to is not there
    │   │   └── BrokenSecret        a sealed argument was changed, or stands in another place than its own
    │   ├── Expired                 nobody began the job by its `expires_at`; it was not run
    │   ├── NotReady                retried: what it needs is not visible yet
    │   │   └── UnknownSecretKey    a sealed argument's key is not in the settings here; retried until it is
    │   ├── KeptBack                a shadow of the bridge wanted to do something seen outside (a PermissionError, too)
    │   ├── TryAgain                retried after so many seconds as it says, whatever the task's policy says
    │   └── Transient               retried: somebody else's fault (SMTP, broker, lock)
    │       ├── SoftTimeLimit       the time limit passed while the task ran
    │       ├── HardTimeLimit       it went on past that, and its process was killed
    │       └── ChildDied           the process that ran it died under it
    ├── Refused                     an act on a job that its status does not allow
    │   ├── JobNotFound
    │   ├── OperationNotFound
    │   ├── RedriveNotFound
    │   ├── SearchRefused
    │   ├── WorkerNotFound
    │   ├── WorkflowNotFound
    │   ├── SignalRefused           no such signal is waited for, or it has come already
    │   ├── NotAllowed              a person's role does not reach so far
    │   ├── WrongSchedule           a schedule that cannot be meant; nothing was changed
    │   │   ├── WrongCron / UnknownZone / NeverFires
    │   │   ├── WrongCall           its task cannot be enqueued with its arguments
    │   │   └── UnknownSchedule / ScheduleExists
    │   ├── WrongRoute              a route of the bridge that cannot be meant; nothing was changed
    │   │   └── RouteChanged        somebody else has changed it since it was looked at
    │   ├── BrokerAway              Celery's broker does not answer; nothing was moved
    │   ├── WrongSpan               numbers of a span of time that there is not, or that are kept no longer
    │   └── WrongControl            a limit or a pause that cannot be meant; nothing was changed
    │       ├── UnknownTarget       it names a queue, a task or a tenant that does not exist
    │       └── NothingToLift       no such limit or pause is set
    ├── NoResult                   what `AsyncResult.get` was asked for will not be, or not yet
    │   ├── JobFailed               the job is a dead letter
    │   ├── JobRevoked              it was cancelled or aborted, or it expired
    │   ├── ResultTimeout           it had not ended in that time (a TimeoutError, too)
    │   └── WaitRefused             waiting here could not end
    ├── CommitOutcomeUnknown        a commit that is perhaps not on the standby (a django.db.OperationalError, too)
    ├── LeaseLost                   a write by a worker that no longer holds the job
    ├── CheckpointInTransaction     a checkpoint was to outlive a transaction that may be rolled back
    └── EffectInTransaction         an outside effect was asked for inside a transaction

    AbortRequested (BaseException)  somebody aborted the running job; not for `except Exception`

Anything else that a task raises is a bug: retried by its policy, then a dead letter.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence

from django.db import utils


class YoutilityTaskError(Exception):
    """The root: catch this to catch everything the house raises on purpose."""


class ConfigurationError(YoutilityTaskError):
    """A setting or a declaration that cannot work."""


class ExtraMissing(ConfigurationError):
    """Something needs a package that only an extra brings."""

    def __init__(self, extra: str, package: str, instead: str = "") -> None:
        super().__init__(
            f"This needs {package}, which is not installed: pip install 'youtility-tasks[{extra}]'. {instead}".strip()
        )


class EnqueueError(YoutilityTaskError):
    """A call that was refused before anything was written."""


class UnknownQueue(ConfigurationError, EnqueueError):
    """A queue that is not configured."""

    def __init__(self, task_name: str, queue_name: object, known: Iterable[str]) -> None:
        names = sorted(known)
        super().__init__(
            f"Task {task_name!r} names queue {queue_name!r}; known: {', '.join(names)}.{did_you_mean(queue_name, names)}"
        )


class UnsafeDatabase(ConfigurationError):
    """A database, role or way to it on which a worker's promises do not hold."""


class CommitsCanBeLost(UnsafeDatabase):
    """The server acknowledges commits that a crash may take back."""

    def __init__(self, setting: str, found: str) -> None:
        super().__init__(
            f"The database has {setting} = {found!r}; right is 'on': otherwise a crash loses jobs and endings that were "
            f"acknowledged. Set {setting} = on (for the server, the database, or the role of this connection)."
        )


class RoleTooPowerful(UnsafeDatabase):
    """A superuser, or a role that row level security does not bind."""

    def __init__(self, role: str, attribute: str) -> None:
        super().__init__(
            f"The role {role!r} is {attribute}; right is a role that is neither SUPERUSER nor BYPASSRLS, or nothing keeps "
            f"one tenant from another's rows. Connect as another role, or ALTER ROLE it (NOSUPERUSER NOBYPASSRLS)."
        )


class TransactionPooler(UnsafeDatabase):
    """A pooler that gives each transaction another session."""

    def __init__(self, seen: str) -> None:
        super().__init__(
            f"A worker's own connections go through a pooler in transaction mode ({seen}); right is a session of their own, "
            "since LISTEN and prepared statements belong to one. Name the way around the pooler, an alias of DATABASES or a "
            "DSN, in YOUTILITY_TASKS['direct_database']; Django may go on using the pooler."
        )


class WrongDirectDatabase(UnsafeDatabase):
    """`direct_database` leads to another database than the one that Django uses."""

    def __init__(self, direct: str, through_django: str) -> None:
        super().__init__(
            f"YOUTILITY_TASKS['direct_database'] leads to {direct}, and Django is connected to {through_django}; right is the "
            "same database by another way. Otherwise jobs are enqueued where no worker looks."
        )


class NoStandby(UnsafeDatabase):
    """The setting `acknowledged_by` asks for a synchronous standby, and a commit here waits for none."""

    def __init__(self, setting: str, found: str, right: str) -> None:
        super().__init__(
            f"YOUTILITY_TASKS['acknowledged_by'] is 'standby' and the database has {setting} = {found!r}; right is {right}: otherwise "
            f"a failover loses jobs and endings that were acknowledged. Set {setting}, or acknowledged_by = 'server'."
        )


class TenantsNotApart(UnsafeDatabase):
    """The setting `roles` is in force, and the database is not as its plan says."""

    def __init__(self, found: Sequence[str]) -> None:
        more = f" (and {len(found) - 1} more)" if len(found) > 1 else ""
        super().__init__(
            f"Nothing may rely on this database to keep tenants apart: {found[0]}{more}. "
            "`setup_task_queue --check` lists everything, and `setup_task_queue` repairs what it may."
        )


class WrongOption(ConfigurationError, EnqueueError):
    """A priority or a `run_after` that cannot be."""


class WrongArguments(EnqueueError, TypeError):
    """Arguments that do not fit the task's signature."""


class NotJson(EnqueueError, TypeError):
    """A value that JSON, or PostgreSQL's jsonb, cannot carry."""


class TooDeep(EnqueueError):
    """Arguments nested deeper than the limit."""


class TooLarge(EnqueueError):
    """Arguments larger than the limit."""


class NaiveDatetime(EnqueueError):
    """An instant without a time zone."""


class NoTenant(EnqueueError):
    """A task of one tenant was enqueued, or run, without one."""

    def __init__(self, task_name: str) -> None:
        super().__init__(
            f"Task {task_name!r} belongs to one tenant and none is set: wrap the call in `with tenant(id):`, "
            "or declare the task with tenant='all' if it serves every tenant."
        )


class UnknownTenant(EnqueueError):
    """A tenant that does not exist or is not active."""


class TenantElsewhere(EnqueueError):
    """A worker came across a tenant of another database: what it did there would be in no transaction of its job."""

    def __init__(self, tenant_id: int, alias: str, bound: str) -> None:
        super().__init__(
            f"Tenant {tenant_id} is on the database {alias!r}, and this worker serves {bound!r}; right is a job of that tenant, "
            "enqueued from outside of a worker. Nothing was written. YOUTILITY_TASKS['tenant_databases'] says who is where."
        )


class TenantOfAnotherJob(EnqueueError):
    """A job of one tenant was about to work for another: what it enqueued and wrote there would belong to that one."""

    def __init__(self, job_id: int, task_name: str, of_tenant: int, asked_for: int) -> None:
        super().__init__(
            f"Job {job_id} of task {task_name!r} belongs to tenant {of_tenant}, and was about to work for tenant {asked_for}; right is a "
            "task declared with tenant='all', whose jobs may enter each tenant. Nothing was written."
        )


class WrongTransaction(EnqueueError):
    """The job would exist whether or not the caller's rows do."""

    def __init__(self, task_name: str, tenant_id: int, alias: str, found: str) -> None:
        super().__init__(
            f"Task {task_name!r} was enqueued for tenant {tenant_id} of the database {alias!r} inside a transaction on {found!r}; "
            f"right is `with tenant({tenant_id}), transaction.atomic(using={alias!r}):`. Nothing was written."
        )


class UnknownTask(EnqueueError):
    """A task name that no installed module declares."""

    def __init__(self, task_name: object, known: Iterable[str]) -> None:
        super().__init__(
            f"No task is called {task_name!r}.{did_you_mean(task_name, known)} "
            "`manage_task_queue tasks` lists them all."
        )


class NotOfCelery(EnqueueError, AttributeError):
    """An option of `apply_async`, or an attribute of a task or result, that Celery has and this package has not."""


class SecretInKey(EnqueueError):
    """A lock or unique key that would show the value of a marked argument in a column."""

    def __init__(self, task_name: str, kind: str, mark: str) -> None:
        super().__init__(
            f"Task {task_name!r}: its {kind} holds the value of an argument marked {mark}, and would show it in a column. Make "
            "the lock in the declaration from the argument (`lock=lambda args: args['token']`): it is given a digest there, "
            "the same for the same value. Or use an id. Nothing was written."
        )


class NotYetBuilt(EnqueueError):
    """A task that is registered but whose body is still to come."""

    def __init__(self, task_name: str) -> None:
        super().__init__(
            f"Task {task_name!r} is registered but not built yet, so it cannot be enqueued. Nothing was written."
        )


class WrongWorkflow(EnqueueError):
    """Steps and edges that cannot be meant; nothing was written."""


class Circle(WrongWorkflow):
    """Steps that wait for each other, so that none could ever begin."""

    def __init__(self, workflow: str, names: Sequence[str]) -> None:
        self.names = tuple(names)
        way = " -> ".join(repr(name) for name in (*names, names[0]))
        super().__init__(f"Workflow {workflow!r}: its steps wait for each other: {way}. Take one of these edges away.")


class UnknownStep(WrongWorkflow):
    """An edge or a reference to a step that is not in the workflow."""

    def __init__(self, workflow: str, step: str, given: object, known: Iterable[str]) -> None:
        names = sorted(known)
        shown = ", ".join(repr(name) for name in names[:8]) + (", ..." if len(names) > 8 else "")
        super().__init__(
            f"Workflow {workflow!r}: step {step!r} names {given!r}, which is no step of it; known: {shown or 'none'}."
            f"{did_you_mean(given, names)}"
        )


class UnsureResult(WrongWorkflow):
    """A step refers to a result that may not be there when it runs."""

    def __init__(self, workflow: str, step: str, given: str, why: str) -> None:
        super().__init__(
            f"Workflow {workflow!r}: step {step!r} takes the result of {given!r}, {why}. Wait for it with SUCCESS, or say what "
            "stands for a result that is not there: `.or_else(None)`."
        )


class UnknownTemplate(WrongWorkflow):
    """No template has this name, or none of this version."""

    def __init__(self, name: str, version: int | None, known: Iterable[str]) -> None:
        names = sorted(known)
        what = f"{name!r}" if version is None else f"{name!r} with version {version}"
        super().__init__(
            f"There is no workflow template {what} here.{did_you_mean(name, names)} "
            "`manage_task_queue workflow templates` lists them."
        )


class TaskError(YoutilityTaskError):
    """What a task raises to say how its failure is meant."""


class BadInput(TaskError):
    """The arguments, or the rows they name, can never work: the job fails at once and keeps its arguments."""


class NotRetried(BadInput):
    """What a task declared for procrastinate raised is not one of the errors that its retry strategy retries."""


class Expired(TaskError):
    """Nobody began the job by its `expires_at`: it was not run, and will not be."""

    def __init__(self, late_s: float) -> None:
        super().__init__(
            f"The job was worth running only if it began by its `expires_at`. Its turn came {late_s:.3f} s later, so it was not "
            "run. Enqueue its task again if it is wanted after all; more workers, or a higher priority, make turns come sooner."
        )


class ResultMissing(BadInput):
    """A step refers to a result that is not there: its step did not succeed, stored none, or one that was too large."""


class NotReady(TaskError):
    """What the task needs is not there yet: another attempt will follow."""


class UnknownSecretKey(NotReady):
    """A sealed argument names a key that the settings here do not have; the job waits until a worker has it."""

    def __init__(self, key_id: str, known: Iterable[str]) -> None:
        self.key_id = key_id
        super().__init__(
            f"An argument was sealed with the key {key_id!r}; known here: {', '.join(known)}. Put that key back into "
            "YOUTILITY_TASKS['secret_keys'] (into SECRET_KEY_FALLBACKS, if it begins with 'django-'), behind the present one; "
            "after `manage_task_queue rekey` it can go."
        )


class BrokenSecret(BadInput):
    """A sealed argument that was changed, or taken from another tenant, task or argument."""

    def __init__(self, task_name: str, argument: str, tenant_id: int, key_id: str) -> None:
        super().__init__(
            f"Task {task_name!r}: argument {argument!r} cannot be opened for tenant {tenant_id} with the key {key_id!r}. It was "
            "changed, or it was sealed for another tenant, task or argument, or the key is another one of the same id. Enqueue "
            "the task again with the value."
        )


class KeptBack(TaskError, PermissionError):
    """A shadow of the bridge wanted to do something that is seen outside: it was not done. Libraries clean up after it as after a refusal of the system's."""


class TryAgain(TaskError):
    """The task asks for another attempt after so many seconds, whatever its policy says; it counts its attempts itself.

    The history shows the error that it was raised from.
    """

    def __init__(self, delay_s: float, why: str = "") -> None:
        self.delay_s = max(0.0, float(delay_s))
        super().__init__(why or f"Another attempt in {self.delay_s:g} s was asked for.")


class Transient(TaskError):
    """A fault outside the task (SMTP, broker, storage, a lock): another attempt will follow."""


class SoftTimeLimit(Transient):
    """The task's time limit passed while it ran."""


class HardTimeLimit(Transient):
    """The task went on past its time limit, and its process was killed."""


class ChildDied(Transient):
    """The process that ran the task died under it."""


class AbortRequested(BaseException):
    """Somebody asked for the running job to end; a BaseException, so that `except Exception` lets it pass."""


class Refused(YoutilityTaskError):
    """An act on a job that its present status does not allow; nothing was changed."""


class NotAllowed(Refused):
    """A person may not do this for this tenant; the text does not tell whether the tenant exists."""


class JobNotFound(Refused):
    """No job, waiting, running or ended, has this id (for this tenant)."""

    def __init__(self, job_id: object) -> None:
        super().__init__(f"No job has the id {job_id!r} here. `manage_task_queue jobs` lists jobs.")


class OperationNotFound(Refused):
    """No operation on jobs has this id (for this tenant)."""

    def __init__(self, operation_id: object) -> None:
        super().__init__(f"No operation has the id {operation_id!r} here. `manage_task_queue operations` lists them.")


class SearchRefused(Refused):
    """A search that cannot be read, with the word that cannot."""


class RedriveNotFound(Refused):
    """No redrive of dead letters has this id (for this tenant)."""

    def __init__(self, redrive_id: object) -> None:
        super().__init__(
            f"No redrive has the id {redrive_id!r} here. `manage_task_queue dead-letters redrives` lists them."
        )


class WorkerNotFound(Refused):
    """No worker process has, or had, this id."""

    def __init__(self, worker_id: object) -> None:
        super().__init__(
            f"No worker has the id {worker_id!r}. `manage_task_queue workers --all` lists those that there were."
        )


class WorkflowNotFound(Refused):
    """No workflow run has this id (for this tenant)."""

    def __init__(self, workflow_id: object) -> None:
        super().__init__(f"No workflow has the id {workflow_id!r} here. `manage_task_queue workflow list` lists them.")


class SignalRefused(Refused):
    """A signal that no step waits for, or that has come already; nothing was changed."""


class WrongSpan(Refused):
    """Numbers of a span of time that there is not, in steps that cannot be, or that are kept no longer."""


class WrongControl(Refused):
    """A limit, a rate or a pause that cannot be meant; nothing was changed."""


class UnknownTarget(WrongControl):
    """A limit or a pause of a queue, a task or a tenant that does not exist."""

    def __init__(self, kind: str, given: object, known: Iterable[str], lists: str) -> None:
        names = sorted(known)
        shown = f"; known: {', '.join(names)}." if len(names) <= 8 else "."
        super().__init__(f"No {kind} is called {given!r}{shown}{did_you_mean(given, names)} `{lists}` lists them.")


class NothingToLift(WrongControl):
    """There is no such limit or pause."""

    def __init__(self, what: str, target: object) -> None:
        super().__init__(f"There is no {what} of {target}. `manage_task_queue limits` lists what is set.")


class WrongRoute(Refused):
    """A route of the bridge from Celery that cannot be meant; nothing was changed."""


class RouteChanged(WrongRoute):
    """A route was changed by somebody else since it was looked at."""

    def __init__(self, task_name: str, seen: int, version: int, is_now: str, by: str) -> None:
        super().__init__(
            f"The route of {task_name!r} is {is_now} in version {version} by now (by {by or 'nobody'}), and you have seen version {seen}. "
            "Nothing was changed; look at it again."
        )


class BrokerAway(Refused):
    """Celery's broker does not answer, or is none that waiting messages can be moved in; nothing was moved."""


class NoResult(YoutilityTaskError):
    """There is no result to be had of a job."""


class JobFailed(NoResult):
    """The job failed for good; `error_class` and `error_message` are its last attempt's."""

    def __init__(self, job_id: int | str, task_name: str, error_class: str, error_message: str) -> None:
        self.error_class, self.error_message = error_class, error_message
        super().__init__(
            f"Job {job_id} ({task_name}) failed: {error_class or 'no error was recorded'}: {error_message}"
        )


class JobRevoked(NoResult):
    """The job was cancelled or aborted, or it expired before anybody began it."""

    def __init__(self, job_id: int | str, task_name: str, why: str) -> None:
        super().__init__(f"Job {job_id} ({task_name}) was not run to its end: {why}")


class ResultTimeout(NoResult, TimeoutError):
    """The job had not ended when the time to wait for it was over; it goes on as before."""


class WaitRefused(NoResult):
    """Whoever asks for the result keeps the job from ending, or from being seen to end."""


class WrongSchedule(Refused):
    """A schedule, or a change of one, that cannot be meant; nothing was changed."""


class WrongCron(WrongSchedule):
    """A cron expression that is none."""

    def __init__(self, expression: object, flaw: str) -> None:
        super().__init__(
            f"The cron is {expression!r:.80}: {flaw}. Right are five fields, minute hour day month weekday, for example "
            "'30 2 * * 1-5' (half past two on working days). For seconds, use an interval."
        )


class UnknownZone(WrongSchedule):
    """A zone that the IANA database does not know."""

    def __init__(self, zone: object, known: Iterable[str]) -> None:
        super().__init__(
            f"No zone is called {zone!r:.80}; right is a name of the IANA database, for example 'Asia/Kolkata' or 'UTC'."
            + did_you_mean(zone, known)
        )


class NeverFires(WrongSchedule):
    """A rule without a single tick from now on."""

    def __init__(self, rule: str) -> None:
        super().__init__(
            f"{rule} never fires from now on. Give a time that comes, or days on which there is one; `schedule preview` shows "
            "what a rule does."
        )


class WrongCall(WrongSchedule):
    """A schedule whose task cannot be enqueued with its arguments; the cause says why."""

    def __init__(self, task_name: object, why: Exception) -> None:
        super().__init__(f"A schedule of task {task_name!r} would make no job: {why}")


class UnknownSchedule(WrongSchedule):
    """No schedule has this name here."""

    def __init__(self, name: object, whose: str, known: Iterable[str]) -> None:
        super().__init__(
            f"No schedule of {whose} is called {name!r:.140}.{did_you_mean(name, known)} `manage_task_queue schedule list` lists them."
        )


class ScheduleExists(WrongSchedule):
    """A new schedule under a name that is taken."""

    def __init__(self, name: str, whose: str) -> None:
        super().__init__(f"A schedule of {whose} is called {name!r} already; change that one, or choose another name.")


class CommitOutcomeUnknown(YoutilityTaskError, utils.OperationalError):
    """The server's answer to a commit came before the standby's: the next failover may take back what it wrote."""

    def __init__(self) -> None:
        super().__init__(
            "The commit is on this server, and its wait for the synchronous standby was cancelled: whether it outlives a failover is "
            "not known. Do it again under the same unique or effect key once the standby is back; nothing is done twice then."
        )


class LeaseLost(YoutilityTaskError):
    """A write by a worker that no longer holds the job; the write changed nothing."""


class CheckpointInTransaction(YoutilityTaskError):
    """A checkpoint inside a transaction: it would last although what it says was done may be rolled back."""


class EffectInTransaction(YoutilityTaskError):
    """An outside effect was asked for inside a transaction, where a rollback could not take it back."""


def did_you_mean(given: object, known: Iterable[str]) -> str:
    """A suggestion to append to an error: the known name most like the given one, or nothing."""
    close = difflib.get_close_matches(str(given), list(known), n=1)
    return f" Did you mean {close[0]!r}?" if close else ""
