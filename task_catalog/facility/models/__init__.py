"""The tables, a file a subject."""

from .assets import Asset, Location
from .attendance import PeopleEventlog, Tracking
from .devices import AssetLog, Attachment, DeviceEventlog
from .people import People, Pgbelonging, Pgroup
from .plans import Job, Jobneed, JobneedDetails, Reminder
from .questions import Question, QuestionSet, QuestionSetBelonging
from .reports import GeneratePDF, ReportHistory, ScheduleReport
from .tickets import EscalationMatrix, Ticket
from .units import Bt, GeofenceMaster, Shift, Tenant, TypeAssist
from .workorders import Approver, Vendor, Wom, WomDetails

__all__ = [
    "Approver",
    "Asset",
    "AssetLog",
    "Attachment",
    "Bt",
    "DeviceEventlog",
    "EscalationMatrix",
    "GeneratePDF",
    "GeofenceMaster",
    "Job",
    "Jobneed",
    "JobneedDetails",
    "Location",
    "People",
    "PeopleEventlog",
    "Pgbelonging",
    "Pgroup",
    "Question",
    "QuestionSet",
    "QuestionSetBelonging",
    "Reminder",
    "ReportHistory",
    "ScheduleReport",
    "Shift",
    "Tenant",
    "Ticket",
    "Tracking",
    "TypeAssist",
    "Vendor",
    "Wom",
    "WomDetails",
]
