"""Which tables and columns a device may write to, by the names that it uses for them (R-GQL)."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from django.db import models

from task_catalog import entities
from task_catalog.conf import catalog
from task_catalog.expected_fields import KINDS
from task_catalog.rules.records import Column
from youtility_tasks import BadInput, errors

STAMPS = ("cuser", "muser", "cdtz", "mdtz", "ctzoffset")
_VISIT = (
    "jobdesc plandatetime expirydatetime gracetime receivedonserver starttime endtime gpslocation journeypath remarks asset "
    "job qset people pgroup sgroup performedby priority scantype frequency identifier jobstatus parent seqno client bu "
    "ticketcategory multifactor alerts attachmentcount deviation other_info"
)
_ANSWER = (
    "seqno question answertype answer min max alerton options isavpt avpttype ismandatory qset alerts attachmentcount"
)
REPORTED = frozenset(
    [
        "jobstatus",
        "starttime",
        "endtime",
        "gpslocation",
        "journeypath",
        "remarks",
        "performedby",
        "scantype",
        "alerts",
        "attachmentcount",
        "deviation",
        "receivedonserver",
        "muser",
        "mdtz",
        "ctzoffset",
    ]
)
"""What a device may say of a visit that was planned; when, where and for whom it is was decided by others."""
ANSWERED = frozenset({"answer", "alerts", "attachmentcount", "muser", "mdtz", "ctzoffset"})


@dataclass(frozen=True, slots=True)
class Table:
    """A table as devices know it: which columns they may fill, and which column tells whose a row is."""

    name: str
    entity: str
    """Its name in `entities`."""
    writable: tuple[str, ...]
    owner: str
    """The column that leads to the client: "client", or a reference to something of a client's."""
    may_insert: bool = True
    has_uuid: bool = True
    changeable: frozenset[str] | None = None
    """The columns of a row that is there already which a device may change; None: all that it may fill."""

    @property
    def model(self) -> type[models.Model]:
        """The mapped model."""
        model: type[models.Model] = getattr(entities, self.entity)
        return model


def _table(name: str, entity: str, columns: str, owner: str, **more: Any) -> Table:
    return Table(name, entity, (*columns.split(), *STAMPS), owner, **more)


TABLES: Mapping[str, Table] = MappingProxyType(
    {
        table.name: table
        for table in (
            _table(
                "peopleeventlog",
                "Attendance",
                "people client bu shift verifiedby geofence peventtype transportmodes punchintime punchouttime datefor "
                "startlocation endlocation journeypath distance duration remarks reference deviceid",
                "client",
            ),
            _table(
                "attachment",
                "Attachment",
                "owner ownername filepath filename attachmenttype size gpslocation datetime bu",
                "bu",
            ),
            _table("assetlog", "AssetLog", "asset oldstatus newstatus people client bu gpslocation", "asset"),
            _table("jobneed", "Occurrence", _VISIT, "client", changeable=REPORTED),
            _table("jobneeddetails", "Detail", f"jobneed {_ANSWER}", "jobneed", changeable=ANSWERED),
            _table(
                "deviceeventlog",
                "DeviceEventlog",
                "deviceid eventvalue people client bu gpslocation locationserviceenabled islocationmocked batterylevel "
                "signalstrength availintmemory availextmemory signalbandwidth androidosversion applicationversion "
                "networkprovidername modelname installedapps stepcount receivedon",
                "client",
            ),
            _table(
                "ticket",
                "Ticket",
                "ticketdesc assignedtopeople assignedtogroup comments bu client priority ticketcategory location asset qset "
                "status performedby",
                "client",
            ),
            _table("asset", "Asset", "gpslocation runningstatus", "client", may_insert=False),
            _table(
                "tracking",
                "Tracking",
                "deviceid gpslocation receiveddate people transportmode reference identifier",
                "people",
            ),
            _table("typeassist", "TypeAssist", "tacode taname tatype client bu", "client", has_uuid=False),
            _table(
                "wom",
                "WorkOrder",
                "workstatus starttime endtime gpslocation priority alerts attachmentcount isdenied",
                "client",
                may_insert=False,
            ),
            _table("womdetails", "WorkOrderDetail", f"wom {_ANSWER}", "wom", changeable=ANSWERED),
            _table("business unit", "BusinessUnit", "gpslocation", "id", may_insert=False),
        )
    }
)

OF_WORDS = ("tacode", "tatype", "client")
"""What tells the words of the vocabulary apart, which have no uuid."""

HAVE_NONE = frozenset(
    {
        *("TypeAssist", "BusinessUnit", "Person", "Group", "Geofence", "Location", "Asset", "Question", "QuestionSet"),
        *("QuestionSetBelonging", "Plan", "Occurrence", "Ticket", "WorkOrder"),
    }
)
"""Entities with a NONE row; a reference to any other is null when it points nowhere (catalog.md 1.2)."""

IN_BATCHES = ("tracking", "deviceeventlog", "attachment", "peopleeventlog", "assetlog", "jobneed", "jobneeddetails")
"""Tables whose rows devices may send by the hundreds, without anything following from a row (catalog.md T29)."""

_KIND_OF = {
    **{internal: kind for kind, internals in KINDS.items() for internal in internals if kind not in ("whole", "list")},
    **dict.fromkeys(KINDS["whole"], "whole"),
}
_PLACES = {"gpslocation": "point", "startlocation": "point", "endlocation": "point", "journeypath": "path"}
_LISTS = ("transportmodes", "approvers", "verifiers", "categories", "approverfor", "sites")


def table_of(given: object, among: tuple[str, ...] | None = None) -> Table:
    """The table that a device names. Raises BadInput for one that it may not write to."""
    name = given.strip().lower() if isinstance(given, str) else ""
    known = tuple(TABLES) if among is None else among
    if name not in known:
        raise BadInput(
            f"tablename is {given!r:.60}, no table that devices may write to here; right is one of "
            f"{', '.join(sorted(known))}.{errors.did_you_mean(name, known)}"
        )
    return TABLES[name]


@dataclass(frozen=True, slots=True)
class Columns:
    """The columns of one table that devices may fill, and what each can hold."""

    by_name: Mapping[str, Column] = field(default_factory=dict)
    references: Mapping[str, str] = field(default_factory=dict)
    """Column -> the entity that it points to."""


def nothing_of(model: type[models.Model] | None) -> int | None:
    """What a reference to this model holds when it points nowhere: the NONE row's id, or null."""
    entity = None if model is None else _entities_by_model().get(model._meta.label_lower)
    return entities.none_id() if entity in HAVE_NONE else None


@functools.lru_cache(maxsize=64)
def columns_of(model: type[models.Model], writable: tuple[str, ...]) -> Columns:
    """Those of the writable columns that the mapped model really has."""
    named = {each.name: each for each in model._meta.concrete_fields}
    found: dict[str, Column] = {}
    references: dict[str, str] = {}
    entity_of = _entities_by_model()
    for name in writable:
        each = named.get(name)
        if each is None:
            continue
        if each.is_relation:
            entity = entity_of.get(each.related_model._meta.label_lower)  # type: ignore[union-attr]
            if entity is None:  # nobody could say whose the row is that it points to
                continue
            references[name] = entity
        found[name] = _column(name, each)
    return Columns(found, references)


def _entities_by_model() -> dict[str, str]:
    return {path.lower(): logical for logical, path in catalog().models.items()}


def _column(name: str, each: models.Field[Any, Any]) -> Column:
    internal = each.get_internal_type()
    kind = _PLACES.get(name) or ("list" if name in _LISTS else _KIND_OF.get(internal, "whole"))
    least = most = None
    if kind in ("whole", "reference"):
        target = each.target_field if each.is_relation else each  # type: ignore[attr-defined]
        least, most = _range(target.get_internal_type())
    base = getattr(each, "base_field", None)
    return Column(
        name=name,
        kind=kind,
        is_nullable=each.null,
        longest=getattr(base if base is not None else each, "max_length", None),
        least=least,
        most=most,
        digits=getattr(each, "max_digits", None),
        places=getattr(each, "decimal_places", None),
    )


def _range(internal: str) -> tuple[int, int]:
    if "Big" in internal:
        most = 2**63 - 1
    elif "Small" in internal:
        most = 2**15 - 1
    else:
        most = 2**31 - 1
    return (0 if internal.startswith("Positive") else -most), most
