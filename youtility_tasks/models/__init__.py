"""The tables, a file a subject."""

from .audit import TaskAuditLog
from .bridge import BridgeCall
from .bridge_schedules import BridgeSchedule
from .bridge_sides import BridgeMove, BridgeRoute, BridgeRun
from .controls import QueueControl
from .effects import TaskEffect
from .history import TaskExecutionHistory
from .jobs import Job
from .memberships import Role, TenantMembership
from .metrics import MetricsMark, MetricsSum, MetricsTotal, TaskPerformanceMetrics
from .operations import OperationBatch, TaskOperation
from .redrives import Redrive
from .schedules import ScheduledTask, ScheduledTaskExecution, ScheduleHoliday
from .snapshots import QueueSnapshot, SnapshotMark
from .tenants import Tenant
from .tokens import ApiAllowance, ApiToken
from .unique_keys import UniqueKey
from .upkeep import UpkeepDuty
from .views import SavedView
from .workers import QueueCounter, TaskWorker, WorkerHeartbeat
from .workflows import TaskDependency, TaskWorkflow, WorkflowSignal, WorkflowStep, WorkflowTemplate

__all__ = [
    "ApiAllowance",
    "ApiToken",
    "BridgeCall",
    "BridgeMove",
    "BridgeRoute",
    "BridgeRun",
    "BridgeSchedule",
    "Job",
    "MetricsMark",
    "MetricsSum",
    "MetricsTotal",
    "OperationBatch",
    "QueueControl",
    "QueueCounter",
    "QueueSnapshot",
    "Redrive",
    "Role",
    "SavedView",
    "ScheduleHoliday",
    "ScheduledTask",
    "ScheduledTaskExecution",
    "SnapshotMark",
    "TaskAuditLog",
    "TaskDependency",
    "TaskEffect",
    "TaskExecutionHistory",
    "TaskOperation",
    "TaskPerformanceMetrics",
    "TaskWorker",
    "TaskWorkflow",
    "Tenant",
    "TenantMembership",
    "UniqueKey",
    "UpkeepDuty",
    "WorkerHeartbeat",
    "WorkflowSignal",
    "WorkflowStep",
    "WorkflowTemplate",
]
