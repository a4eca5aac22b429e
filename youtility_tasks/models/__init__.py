"""The tables, a file a subject."""

from .audit import TaskAuditLog
from .controls import QueueControl
from .effects import TaskEffect
from .history import TaskExecutionHistory
from .jobs import Job
from .memberships import Role, TenantMembership
from .operations import OperationBatch, TaskOperation
from .redrives import Redrive
from .schedules import ScheduledTask, ScheduledTaskExecution, ScheduleHoliday
from .tenants import Tenant
from .tokens import ApiAllowance, ApiToken
from .unique_keys import UniqueKey
from .upkeep import UpkeepDuty
from .workers import QueueCounter, TaskWorker
from .workflows import TaskDependency, TaskWorkflow, WorkflowSignal, WorkflowStep, WorkflowTemplate

__all__ = [
    "ApiAllowance",
    "ApiToken",
    "Job",
    "OperationBatch",
    "QueueControl",
    "QueueCounter",
    "Redrive",
    "Role",
    "ScheduleHoliday",
    "ScheduledTask",
    "ScheduledTaskExecution",
    "TaskAuditLog",
    "TaskDependency",
    "TaskEffect",
    "TaskExecutionHistory",
    "TaskOperation",
    "TaskWorker",
    "TaskWorkflow",
    "Tenant",
    "TenantMembership",
    "UniqueKey",
    "UpkeepDuty",
    "WorkflowSignal",
    "WorkflowStep",
    "WorkflowTemplate",
]
