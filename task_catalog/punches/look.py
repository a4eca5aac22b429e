"""Compares the photo of a punch with the person's own, outside of any transaction."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from task_catalog.conf import catalog
from task_catalog.media_files import file_below_media_root
from task_catalog.ports import faces
from task_catalog.punches.asked import NAME
from task_catalog.rules import faces as rules
from task_catalog.rules.faces import Outcome, Verdict
from youtility_tasks import BadInput, NotReady, TaskContext, Transient

if TYPE_CHECKING:
    from task_catalog.facility.models import Attachment, PeopleEventlog

TO_WRITE_S = 10
"""Of the task's limit, kept for writing the verdict once the photos were looked at."""


@dataclass(slots=True)
class Look:
    """What was seen, and by what."""

    verdict: Verdict
    threshold: float
    model: str
    metric: str
    warnings: list[str] = field(default_factory=list)


def look_at(context: TaskContext, event: PeopleEventlog, photo: Attachment | None, *, is_last: bool) -> Look:
    """Compare the photos, outside of any transaction. Raises NotReady while the picture is not there."""
    verifier = faces.verifier()
    threshold = catalog().face_threshold
    look = Look(
        Verdict(Outcome.NO_PICTURE),
        verifier.threshold if threshold is None else threshold,
        verifier.model,
        verifier.metric,
    )
    probe = None if photo is None else file_below_media_root(f"{photo.filepath}{photo.filename}")
    if probe is None or not probe.is_file():
        what = "its photo is not there" if photo is None else f"the file of photo {photo.uuid} is not there"
        if not is_last:
            raise NotReady(f"{NAME}: punch {event.uuid}: {what} yet.")
        look.warnings.append(what)
        return look
    assert event.people is not None  # noqa: S101 - checked with the person
    if not rules.has_photo(event.people.peopleimg):
        look.verdict = Verdict(Outcome.NO_REFERENCE)
        return look
    try:
        reference = file_below_media_root(event.people.peopleimg)
    except BadInput as error:
        look.verdict = Verdict(Outcome.NO_REFERENCE)
        look.warnings.append(str(error))
        return look
    if not reference.is_file():
        look.verdict = Verdict(Outcome.NO_REFERENCE)
        look.warnings.append("the file of the person's photo is not there")
        return look
    seconds = min(catalog().face_timeout_s, context.time_left_s() - TO_WRITE_S)
    if seconds <= 0:
        raise Transient(f"{NAME}: no time is left to look at the photos.")
    try:
        seen = verifier.verify(reference, probe, timeout_s=seconds)
    except faces.Unreadable as error:
        if error.picture == "probe" and not is_last:
            raise NotReady(f"{NAME}: punch {event.uuid}: {error}; it may still be on its way.") from error
        look.verdict = Verdict(Outcome.NO_PICTURE if error.picture == "probe" else Outcome.NO_REFERENCE)
        look.warnings.append(str(error))
        return look
    if isinstance(seen, faces.NoFace):
        look.verdict = Verdict(Outcome.NO_FACE)
        look.warnings.append(f"no face in the {seen.picture} picture")
    else:
        look.verdict = rules.verdict_of(seen, threshold=look.threshold)
    return look
