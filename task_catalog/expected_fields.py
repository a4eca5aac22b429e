"""What each mapped table must have: field names and what they hold, from catalog.md 1.4 and 6.1.

One line a kind: `text="a b"` are two fields that hold text; `reference="client:BusinessUnit"` is a foreign key to the
table mapped as BusinessUnit.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

_STAMPS = "cuser:Person muser:Person"
_WHOLE = {
    "AutoField",
    "BigAutoField",
    "BigIntegerField",
    "IntegerField",
    "PositiveBigIntegerField",
    "PositiveIntegerField",
    "PositiveSmallIntegerField",
    "SmallAutoField",
    "SmallIntegerField",
}
KINDS: Mapping[str, frozenset[str]] = {
    "date": frozenset({"DateField"}),
    "instant": frozenset({"DateTimeField"}),
    "json": frozenset({"JSONField"}),
    "list": frozenset({"ArrayField", "JSONField"}),
    "number": frozenset({"DecimalField", "FloatField", *_WHOLE}),
    "reference": frozenset({"ForeignKey", "OneToOneField"}),
    "text": frozenset({"CharField", "FileField", "SlugField", "TextField"}),
    "time": frozenset({"TimeField"}),
    "truth": frozenset({"BooleanField"}),
    "uuid": frozenset({"UUIDField"}),
    "whole": frozenset(_WHOLE),
}
"""Kind -> the Django field types that can hold it. A "place" may be of any type: it is read through an adapter."""

OPTIONAL = frozenset({"ClientTenant", "GeneratePDF"})
"""Tables that no task reads; they may be missing."""


@dataclass(frozen=True, slots=True)
class Expected:
    """One field: what it must hold and, for a reference, the logical name of the table it points to."""

    kind: str
    target: str = ""


def _fields(**kinds: str) -> dict[str, Expected]:
    expected = {}
    for kind, names in kinds.items():
        for name in names.split():
            field, _, target = name.partition(":")
            expected[field] = Expected(kind, target)
    return expected


ENTITIES: Mapping[str, Mapping[str, Expected]] = {
    "BusinessUnit": _fields(
        uuid="uuid",
        text="bucode solid buname butree",
        reference="identifier:TypeAssist parent:BusinessUnit siteincharge:Person",
        truth="enable",
        place="gpslocation",
        json="bupreferences",
        whole="id ctzoffset",
    ),
    "TypeAssist": _fields(
        text="tacode taname",
        reference="tatype:TypeAssist bu:BusinessUnit client:BusinessUnit",
        truth="enable",
        whole="id",
    ),
    "Shift": _fields(
        text="shiftname", time="starttime endtime", reference="bu:BusinessUnit client:BusinessUnit", whole="id"
    ),
    "Geofence": _fields(
        text="gfcode gfname",
        place="geofence",
        truth="enable",
        reference="client:BusinessUnit bu:BusinessUnit",
        whole="id",
    ),
    "Person": _fields(
        text="peoplecode peoplename loginid email mobno peopleimg",
        instant="mdtz",
        truth="isadmin isverified enable",
        reference="client:BusinessUnit bu:BusinessUnit designation:TypeAssist worktype:TypeAssist department:TypeAssist",
        json="people_extras",
        uuid="uuid",
        whole="id ctzoffset",
    ),
    "Group": _fields(
        text="groupname",
        reference="identifier:TypeAssist client:BusinessUnit bu:BusinessUnit",
        truth="enable",
        whole="id",
    ),
    "GroupMember": _fields(
        reference="pgroup:Group people:Person assignsites:BusinessUnit client:BusinessUnit bu:BusinessUnit",
        truth="isgrouplead",
        whole="id",
    ),
    "Asset": _fields(
        uuid="uuid",
        text="assetcode assetname identifier runningstatus",
        instant="mdtz",
        truth="enable iscritical",
        json="asset_json",
        reference="client:BusinessUnit bu:BusinessUnit type:TypeAssist category:TypeAssist location:Location",
        place="gpslocation",
        whole="id",
    ),
    "Location": _fields(text="loccode locname", reference="client:BusinessUnit", whole="id"),
    "Question": _fields(text="quesname answertype", reference="client:BusinessUnit", whole="id"),
    "QuestionSet": _fields(
        text="qsetname type",
        reference="parent:QuestionSet client:BusinessUnit bu:BusinessUnit",
        truth="enable",
        whole="id seqno",
    ),
    "QuestionSetBelonging": _fields(
        reference="qset:QuestionSet question:Question client:BusinessUnit bu:BusinessUnit",
        text="answertype alerton options avpttype",
        number="min max",
        truth="ismandatory isavpt",
        whole="id seqno",
    ),
    "Plan": _fields(
        text="jobname jobdesc identifier cron scantype frequency priority",
        instant="fromdate uptodate lastgeneratedon cdtz mdtz",
        time="starttime endtime",
        whole="id planduration gracetime expirytime seqno ctzoffset",
        reference="asset:Asset qset:QuestionSet people:Person pgroup:Group sgroup:Group geofence:Geofence parent:Plan "
        f"client:BusinessUnit bu:BusinessUnit ticketcategory:TypeAssist {_STAMPS}",
        truth="enable",
        json="other_info",
    ),
    "Occurrence": _fields(
        uuid="uuid",
        text="jobdesc remarks priority scantype identifier jobtype jobstatus frequency",
        instant="plandatetime expirydatetime receivedonserver starttime endtime cdtz mdtz",
        whole="id gracetime seqno attachmentcount ctzoffset",
        place="gpslocation journeypath",
        reference="asset:Asset job:Plan qset:QuestionSet people:Person pgroup:Group sgroup:Group performedby:Person "
        f"parent:Occurrence client:BusinessUnit bu:BusinessUnit ticketcategory:TypeAssist ticket:Ticket {_STAMPS}",
        number="multifactor",
        truth="alerts ismailsent raisedtktflag deviation",
        json="other_info",
    ),
    "Detail": _fields(
        uuid="uuid",
        text="answertype answer alerton options avpttype",
        number="min max",
        whole="id seqno attachmentcount ctzoffset",
        truth="isavpt ismandatory alerts",
        instant="cdtz mdtz",
        reference=f"jobneed:Occurrence question:Question qset:QuestionSet {_STAMPS}",
    ),
    "Reminder": _fields(
        text="description priority reminderin mailids status",
        whole="id reminderbefore ctzoffset",
        instant="reminderdate plandatetime cdtz mdtz",
        reference="bu:BusinessUnit asset:Asset qset:QuestionSet people:Person group:Group job:Plan jobneed:Occurrence "
        f"{_STAMPS}",
    ),
    "Ticket": _fields(
        uuid="uuid",
        text="ticketno ticketdesc comments identifier priority status ticketsource",
        instant="modifieddatetime cdtz mdtz",
        whole="id level ctzoffset",
        truth="isescalated",
        json="ticketlog",
        reference="assignedtopeople:Person assignedtogroup:Group bu:BusinessUnit client:BusinessUnit "
        f"ticketcategory:TypeAssist location:Location asset:Asset qset:QuestionSet performedby:Person {_STAMPS}",
    ),
    "EscalationMatrix": _fields(
        text="frequency assignedfor body notify",
        whole="id level frequencyvalue",
        reference="escalationtemplate:TypeAssist assignedperson:Person assignedgroup:Group bu:BusinessUnit "
        "client:BusinessUnit job:Plan",
    ),
    "WorkOrder": _fields(
        uuid="uuid",
        text="description identifier workstatus workpermit verifiers_status priority",
        list="approvers verifiers categories",
        instant="plandatetime expirydatetime starttime endtime cdtz mdtz",
        whole="id seqno ctzoffset",
        json="remarks wo_history other_data",
        reference=f"vendor:Vendor qset:QuestionSet parent:WorkOrder client:BusinessUnit bu:BusinessUnit {_STAMPS}",
    ),
    "WorkOrderDetail": _fields(
        uuid="uuid",
        text="answertype answer",
        whole="id seqno",
        reference="wom:WorkOrder question:Question qset:QuestionSet",
    ),
    "Vendor": _fields(
        text="code name email mobno description",
        truth="show_to_all_sites enable",
        reference="client:BusinessUnit bu:BusinessUnit",
        whole="id",
    ),
    "Approver": _fields(
        list="approverfor sites",
        text="identifier",
        truth="forallsites",
        reference="people:Person client:BusinessUnit bu:BusinessUnit",
        whole="id",
    ),
    "Attendance": _fields(
        uuid="uuid",
        reference="people:Person client:BusinessUnit bu:BusinessUnit shift:Shift verifiedby:Person geofence:Geofence "
        f"peventtype:TypeAssist {_STAMPS}",
        list="transportmodes",
        instant="punchintime punchouttime cdtz mdtz",
        date="datefor",
        place="startlocation endlocation",
        number="distance",
        truth="facerecognitionin facerecognitionout",
        json="peventlogextras",
        whole="id ctzoffset",
    ),
    "Tracking": _fields(
        uuid="uuid",
        text="deviceid transportmode reference identifier",
        place="gpslocation",
        instant="receiveddate",
        reference="people:Person",
        whole="id",
    ),
    "Attachment": _fields(
        uuid="uuid",
        text="owner filepath filename attachmenttype",
        reference=f"ownername:TypeAssist bu:BusinessUnit {_STAMPS}",
        instant="cdtz mdtz",
        whole="id size ctzoffset",
    ),
    "DeviceEventlog": _fields(uuid="uuid", text="deviceid", reference="people:Person bu:BusinessUnit", whole="id"),
    "AssetLog": _fields(
        uuid="uuid",
        text="oldstatus newstatus",
        reference="asset:Asset people:Person client:BusinessUnit bu:BusinessUnit",
        instant="cdtz",
        whole="id ctzoffset",
    ),
    "ScheduleReport": _fields(
        text="report_type report_name cron crontype workingdays filename",
        json="report_params",
        list="to_addr cc",
        time="report_sendtime",
        truth="enable",
        instant="fromdatetime uptodatetime lastgeneratedon cdtz mdtz",
        reference=f"bu:BusinessUnit client:BusinessUnit {_STAMPS}",
        whole="id ctzoffset",
    ),
    "ReportHistory": _fields(
        reference="user:Person bu:BusinessUnit client:BusinessUnit",
        instant="datetime",
        text="export_type report_name cc_mails to_mails email_body traceback",
        json="params",
        truth="has_data",
        whole="id ctzoffset",
    ),
    "GeneratePDF": _fields(whole="id"),
    "ClientTenant": _fields(text="tenantname subdomain_prefix", whole="id"),
    "Session": _fields(instant="expire_date"),
}
"""Logical name -> field -> what it must hold."""
