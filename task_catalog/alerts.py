"""Reads what a visit found out of range, and the files that go with it."""

from __future__ import annotations

import mimetypes
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from task_catalog import entities
from task_catalog.conf import catalog
from task_catalog.mobile import files
from task_catalog.mobile.mine import Mine
from task_catalog.ports import mail

if TYPE_CHECKING:
    from task_catalog.facility.models import Attachment, Jobneed, JobneedDetails

INTERNALTOUR = "INTERNALTOUR"


@dataclass(frozen=True, slots=True)
class Observation:
    """What there is to tell of a visit; a tour speaks for its stops too."""

    visit: Jobneed
    stops: Sequence[Jobneed]
    """In alert, and not told of yet."""
    told_before: bool
    """Some of its stops were in alert and have been told of."""
    answers: Sequence[dict[str, Any]]
    checkpoint: str
    checklist: str

    @property
    def visit_ids(self) -> list[int]:
        """Everything that a mail about it tells of."""
        return [self.visit.pk, *(stop.pk for stop in self.stops)]


@dataclass(frozen=True, slots=True)
class Files:
    """What is attached, and what is not."""

    attachments: Sequence[mail.Attachment]
    left_out: Sequence[str]
    warnings: Sequence[str]


def observe(client_id: int, visit: Jobneed) -> Observation:
    """Read it; three queries at most, however many stops and answers."""
    of_stops = (
        entities.Occurrence.objects.filter(client_id=client_id, parent_id=visit.pk, alerts=True)
        .select_related("asset", "qset")
        .order_by("seqno", "pk")
    )
    in_alert = list(of_stops) if entities.is_none(visit.parent_id) else []
    stops = [stop for stop in in_alert if not stop.ismailsent]
    by_id = {each.pk: each for each in (visit, *stops)}
    found = entities.Detail.objects.filter(jobneed_id__in=list(by_id), alerts=True).select_related("question")
    order = {pk: nth for nth, pk in enumerate(by_id)}
    details = sorted(found, key=lambda each: (order[each.jobneed_id or 0], each.seqno, each.pk))
    # A visit that is itself a checkpoint, else the first stop in alert.
    named = next((each for each in (visit, *stops) if each.identifier == INTERNALTOUR and _asset_name(each)), None)
    asked = next(
        (each for each in (visit, *stops) if not entities.is_none(each.qset_id) and each.qset is not None), None
    )
    return Observation(
        visit=visit,
        stops=stops,
        told_before=len(in_alert) > len(stops),
        answers=[_answer(each, by_id[each.jobneed_id or 0], visit) for each in details],
        checkpoint="" if named is None else _asset_name(named),
        checklist="-" if asked is None or asked.qset is None else asked.qset.qsetname,
    )


def attached(client_id: int, seen: Observation) -> Files:
    """The files of the visit, of its stops that are told of, and of all their answers, as far as they fit (D47)."""
    visits = [seen.visit, *seen.stops]
    answers = entities.Detail.objects.filter(jobneed_id__in=seen.visit_ids).values_list("uuid", flat=True)
    owners = [str(uuid) for uuid in (*(visit.uuid for visit in visits), *answers)]
    rows = entities.Attachment.objects.filter(owner__in=owners, bu_id__in=Mine(client_id).site_ids).order_by("pk")
    room = catalog().alert_attachments_max_bytes
    taken: list[mail.Attachment] = []
    left_out: list[str] = []
    warnings: list[str] = []
    for row in rows:
        path = files.found(row.filepath, row.filename)
        if path is None:
            warnings.append(f"file {row.pk} ({row.filename[:100]!r}) is not there and was left out")
            continue
        if path.stat().st_size > room:
            left_out.append(row.filename)
            continue
        content = path.read_bytes()
        room -= len(content)
        taken.append(mail.Attachment(name=_shown_name(row), content=content, media_type=_media_type(row.filename)))
    return Files(taken, left_out, warnings)


def _answer(detail: JobneedDetails, at: Jobneed, visit: Jobneed) -> dict[str, Any]:
    return {
        "checkpoint": "" if at.pk == visit.pk else _asset_name(at) or at.jobdesc,
        "number": detail.seqno,
        "question": "-" if detail.question is None else detail.question.quesname,
        "answer": detail.answer or "-",
        "options": detail.options or "-",
        "min": _number(detail.min),
        "max": _number(detail.max),
        "alerton": detail.alerton or "-",
    }


def _asset_name(visit: Jobneed) -> str:
    return "" if entities.is_none(visit.asset_id) or visit.asset is None else visit.asset.assetname


def _number(value: Any) -> str:
    return "-" if value is None else f"{value.normalize():f}" if hasattr(value, "normalize") else str(value)


def _shown_name(row: Attachment) -> str:
    """Without the uuid that keeps equal names apart on the disk."""
    prefix = f"{row.uuid}_"
    return row.filename.removeprefix(prefix)


def _media_type(name: str) -> str:
    return mimetypes.guess_type(name)[0] or "application/octet-stream"
