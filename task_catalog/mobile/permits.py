"""Work permits that devices fill in (R-WP 1) and give back (R-WP 4): numbered, stored with their sections, and told of."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.db import connection
from django.db.models import BigIntegerField, F, Func, Max, Value
from django.db.models.fields.json import KeyTextTransform
from django.db.models.functions import Cast

from task_catalog import entities
from task_catalog.email.work_permits import send_email_notification_for_vendor_and_security_for_rwp
from task_catalog.flows import work_permit
from task_catalog.flows.work_permit import Gate, Outcome
from task_catalog.mobile.answers import SAME_OWNER, WOM_TABLE, Answers
from task_catalog.mobile.context import Context
from task_catalog.mobile.reading import Rejected, Row, read_all, refuse
from task_catalog.mobile.storing import Stored, upsert
from task_catalog.mobile.tables import STAMPS, Table
from task_catalog.rules.recipients import is_true
from task_catalog.rules.records import Flaw, words_of
from youtility_tasks import enqueue_many

if TYPE_CHECKING:
    from task_catalog.facility.models import Wom as WorkOrder

PERMIT = Table(
    "wom",
    "WorkOrder",
    (
        *[
            "description",
            "vendor",
            "qset",
            "client",
            "bu",
            "asset",
            "location",
            "ticketcategory",
            "priority",
            "plandatetime",
            "expirydatetime",
        ],
        *["starttime", "endtime", "gpslocation", "approvers", "verifiers", "categories", "attachmentcount"],
        *STAMPS,
    ),
    "client",
)
SECTION = Table("section", "WorkOrder", ("description", "seqno", "qset", "client", "bu", *STAMPS), "client")
_OPEN = "t.{workpermit} = 'PENDING' AND t.{verifiers_status} = 'PENDING' AND t.{identifier} = 'WP'"
"""A permit about which nobody has decided; only such a one is changed by sending it again."""
_LOCK = "SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))"
_NUMBER = "^[0-9]{1,15}$"


def store(context: Context, records: Sequence[dict[str, Any]]) -> list[UUID]:
    """Store permits, new ones and returned ones, in the caller's transaction. Raises BadInput."""
    returned = [record for record in records if is_true(str(record.get("isreturnwp"))) or record.get("isreturnwp") == 1]
    new = [record for record in records if not any(record is each for each in returned)]
    return [*(_store_new(context, new) if new else []), *(_take_back(context, returned) if returned else [])]


def _store_new(context: Context, records: Sequence[dict[str, Any]]) -> list[UUID]:
    rows = read_all(PERMIT, records, context.mine)
    refuse(PERMIT, [Rejected(row.index, "it names no site; right is a bu_id") for row in rows if _has_no_site(row)])
    people = _Deciders(context, rows)
    refuse(PERMIT, [Rejected(row.index, "none of its verifiers is one of this client") for row in people.nobody])
    known = set(context.mine.rows(PERMIT).filter(uuid__in=[row.key for row in rows]).values_list("uuid", flat=True))
    fresh = [row for row in rows if row.key not in known]
    names = _names(entities.QuestionSet, "qsetname", rows, "qset")
    numbers = _numbers(context, fresh)
    for row in rows:
        row.values["approvers"], row.values["verifiers"] = people.approvers(row), people.verifiers(row)
    for row in fresh:
        row.values |= {
            "identifier": "WP",
            "workstatus": "ASSIGNED",
            "workpermit": "PENDING",
            "verifiers_status": "PENDING",
            "other_data": {
                "wp_seqno": numbers[row.key],
                "wp_name": names.get(row.values.get("qset"), ""),
                "wp_approvers": people.listed(people.approvers(row), "APPROVER"),
                "wp_verifiers": people.listed(people.verifiers(row), "VERIFIER"),
            },
        }
    stored = upsert(PERMIT, rows, context.mine, now=context.now, condition=_OPEN)
    ids = _all(PERMIT, rows, stored, "its uuid cannot be used, or somebody has decided about the permit already")
    _store_sections(context, [(row, row.given["child"]) for row in rows], ids)
    made = [(row, ids[row.key]) for row in fresh]
    sites, vendors = (
        _names(entities.BusinessUnit, "buname", rows, "bu"),
        _names(entities.Vendor, "name", rows, "vendor"),
    )
    work_permit.begin_many(
        {
            row.key: {
                "womid": pk,
                "verifiers": people.verifiers(row),
                "sitename": sites.get(row.values["bu"], ""),
                "workpermit_status": "PENDING",
                "permit_name": names.get(row.values.get("qset"), ""),
                "vendor_name": vendors.get(row.values.get("vendor"), ""),
                "client_id": context.client_id,
            }
            for row, pk in made
        },
        from_mobile=True,
    )
    return [row.key for row in rows]


def _take_back(context: Context, records: Sequence[dict[str, Any]]) -> list[UUID]:
    """Store what was filled in on return; the permit is done then. Only an approved one, at which work has begun."""
    rows = read_all(PERMIT, records, context.mine)
    found = {
        permit.uuid: permit
        for permit in context.mine.rows(PERMIT)
        .filter(uuid__in=[row.key for row in rows], identifier="WP")
        .select_for_update(of=("self",))
        .select_related("bu", "vendor")
        .order_by("pk")
    }
    refuse(PERMIT, [flaw for row in rows if (flaw := _why_not(row, found.get(row.key))) is not None])
    for row in rows:
        row.values["bu"] = found[row.key].bu_id
    _store_sections(
        context,
        [(row, row.given["child"]) for row in rows],
        {uuid: permit.pk for uuid, permit in found.items()},
        after=100,
    )
    back = [permit for permit in found.values() if permit.workstatus != "COMPLETED"]
    entities.WorkOrder.objects.filter(pk__in=[permit.pk for permit in back]).update(
        workstatus="COMPLETED", mdtz=context.moment
    )
    waiting = work_permit.awaiting([permit.uuid for permit in back], Gate.RETURN) if back else set()
    for permit in back:
        if str(permit.uuid) in waiting:
            work_permit.decide(permit.uuid, Gate.RETURN, Outcome.ACCEPTED, _news(permit))
    others = [permit for permit in back if str(permit.uuid) not in waiting]
    if others:
        enqueue_many(send_email_notification_for_vendor_and_security_for_rwp, [_news(permit) for permit in others])
    return [row.key for row in rows]


def _why_not(row: Row, permit: WorkOrder | None) -> Rejected | None:
    if permit is None:
        return Rejected(row.index, "there is no permit with this uuid")
    if permit.workpermit != "APPROVED" or permit.workstatus not in ("INPROGRESS", "COMPLETED"):
        state = f"{permit.workpermit}, {permit.workstatus}"
        return Rejected(row.index, f"the permit is {state}; only an approved one in progress is given back")
    if not row.given["child"]:
        return Rejected(row.index, "it has no section ('child') that was filled in on return")
    return None


def _news(permit: WorkOrder) -> dict[str, Any]:
    data = permit.other_data if isinstance(permit.other_data, dict) else {}
    return {
        "wom_id": permit.pk,
        "sitename": "" if permit.bu is None else permit.bu.buname,
        "workpermit_status": "COMPLETED",
        "vendor_name": "" if permit.vendor is None else permit.vendor.name,
        "pdf_path": None,
        "permit_name": str(data.get("wp_name") or ""),
        "permit_no": data.get("wp_seqno"),
    }


def _store_sections(
    context: Context,
    sections_of: Sequence[tuple[Row, Sequence[dict[str, Any]]]],
    ids: Mapping[UUID, int],
    *,
    after: int = 0,
) -> None:
    """Sections below their permits, and their answers. `after` is added to places that a device does not tell."""
    given, owners = [], []
    for row, sections in sections_of:
        for nth, section in enumerate(sections, start=1):
            given.append({"seqno": after + nth, **section, "bu_id": row.values.get("bu")})
            owners.append(row)
    if not given:
        return
    rows = read_all(SECTION, given, context.mine)
    for row in rows:
        owner = owners[row.index]
        row.values["parent"] = ids[owner.key]
        row.values.setdefault("description", "")
        if row.values.get("bu") is None:
            row.values.pop("bu", None)
    stored = upsert(SECTION, rows, context.mine, now=context.now, condition=SAME_OWNER.format("parent"))
    section_ids = _all(SECTION, rows, stored, "its uuid is that of something else")
    Answers.of(context, rows, WOM_TABLE).store(context, section_ids)


def _all(table: Table, rows: Sequence[Row], stored: Stored, why: str) -> dict[UUID, int]:
    ids = stored.ids
    refuse(table, [Rejected(row.index, why) for row in rows if row.key not in ids])
    return ids


def _has_no_site(row: Row) -> bool:
    return entities.is_none(row.values.get("bu"))


def _names(model: Any, column: str, rows: Sequence[Row], reference: str) -> dict[Any, str]:
    wanted = {row.values.get(reference) for row in rows} - {None}
    return dict(model.objects.filter(pk__in=wanted).values_list("pk", column)) if wanted else {}


def _numbers(context: Context, rows: Sequence[Row]) -> dict[UUID, int]:
    """The next numbers of each site's permits, in the order of the records; locked until the transaction ends."""
    found: dict[UUID, int] = {}
    for site in sorted({row.values["bu"] for row in rows}):
        # Two statements on purpose: the second one sees what was committed while the first one waited.
        with connection.cursor() as cursor:
            cursor.execute(_LOCK, [f"task_catalog.permit:{context.client_id}:{site}"])
        text = Func(KeyTextTransform("wp_seqno", F("other_data")), Value(_NUMBER), function="substring")
        highest = entities.WorkOrder.objects.filter(client_id=context.client_id, bu_id=site, identifier="WP").aggregate(
            highest=Max(Cast(text, BigIntegerField()))
        )
        number = int(highest["highest"] or 0)
        for row in rows:
            if row.values["bu"] == site:
                number += 1
                found[row.key] = number
    return found


class _Deciders:
    """Who verifies and approves, by people codes within the client (D22)."""

    def __init__(self, context: Context, rows: Sequence[Row]) -> None:
        self._wanted = {
            row.key: (_codes(row, "verifiers", "verifier"), _codes(row, "approvers", "approver")) for row in rows
        }
        codes = {code for both in self._wanted.values() for of_role in both for code in of_role}
        people = entities.Person.objects.filter(client_id=context.client_id, peoplecode__in=codes, enable=True)
        self._names: dict[str, str] = {}
        for code, name in people.exclude(pk=entities.none_id()).order_by("-pk").values_list("peoplecode", "peoplename"):
            self._names[code] = name
        self.nobody = [row for row in rows if not self.verifiers(row)]
        for code in sorted(codes - self._names.keys()):
            context.warnings.append(f"nobody of this client has the people code {code!r:.60}")

    def verifiers(self, row: Row) -> list[str]:
        return self._known(self._wanted[row.key][0])

    def approvers(self, row: Row) -> list[str]:
        return self._known(self._wanted[row.key][1])

    def listed(self, codes: Collection[str], identifier: str) -> list[dict[str, str]]:
        """The list in a permit's `other_data`, nobody having decided."""
        return [
            {"name": self._names[code], "peoplecode": code, "identifier": identifier, "status": "PENDING"}
            for code in codes
        ]

    def _known(self, codes: Sequence[str]) -> list[str]:
        return [code for code in codes if code in self._names]


def _codes(row: Row, *names: str) -> list[str]:
    """The people codes under the first of these names that says any."""
    for name in names:
        try:
            found = words_of(row.given.get(name))
        except Flaw:
            found = []
        if found:
            return list(dict.fromkeys(found))
    return []
