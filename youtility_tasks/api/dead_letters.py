"""Dead letters: by what went wrong, one by one, redriven at a rate, discarded with a reason."""

from __future__ import annotations

from typing import Any

from youtility_tasks import dead_letters, listing, membership
from youtility_tasks.dead_letters import Letters
from youtility_tasks.documents import jobs as job_documents
from youtility_tasks.documents import letters as documents
from youtility_tasks.listing import JobFilter
from youtility_tasks.problems import Problem
from youtility_tasks.status import JobStatus

from . import letter_words, words
from .endpoints import endpoint
from .letter_words import (
    Choice,
    Discard,
    Discarded,
    GroupQuery,
    LetterQuery,
    NewRedrive,
    RedriveDocument,
    Redrives,
    Would,
)
from .words import Nothing, OfTenant, Why

SECONDS_OF_A_REQUEST = 3.0
"""So long a request moves letters; what is left is gone on with by the next."""


@endpoint("GET", "dead-letters/", query=LetterQuery, gives=letter_words.Letters)
def list_dead_letters(query: LetterQuery, place: Any) -> dict[str, Any]:
    """What has failed for good, newest first, by pages."""
    wanted = JobFilter(
        statuses=[JobStatus.FAILED],
        queue_name=query.queue,
        task_name=query.task,
        tenant_id=place.tenant_id,
        fingerprint=query.fingerprint,
        failed_since=query.since,
        failed_until=query.until,
        before_id=query.before_id,
    )
    found = listing.jobs(wanted, limit=query.limit + 1)
    page, following = words.page_of(found, query.limit, lambda line: line.job_id)
    return {"dead_letters": [job_documents.line(line) for line in page], "next": following}


@endpoint("GET", "dead-letters/groups/", query=GroupQuery, gives=letter_words.Groups)
def list_letter_groups(query: GroupQuery, place: Any) -> dict[str, Any]:
    """Dead letters by task and error, those with the most letters first."""
    found = dead_letters.groups(_wanted(query), limit=query.limit + 1)
    return {
        "groups": [documents.group(each) for each in found[: query.limit]],
        "has_more": len(found) > query.limit,
    }


@endpoint("POST", "dead-letters/discard/", body=Discard, gives=Discarded)
def discard_letters(query: OfTenant, body: Discard, place: Any) -> dict[str, Any]:
    """Take the oldest of these letters out of the queue for good; ask again while there are more."""
    wanted = _chosen(body)
    done = dead_letters.discard(wanted, body.reason, limit=body.most)
    refused = job_documents.refused(done.refused)
    return {
        "ok": not refused,
        "done": job_documents.all_acted(done.done),
        "refused": refused,
        "has_more": len(done.done) + len(refused) == body.most and bool(wanted.choose(limit=len(refused) + 1)),
    }


@endpoint("POST", "dead-letters/discard/preview/", body=Choice, gives=Would)
def preview_discard(query: OfTenant, body: Choice, place: Any) -> dict[str, Any]:
    """How many letters would be discarded; changes nothing."""
    membership.allow("discard", place.tenant_id)
    return {"letters": _chosen(body).find(place.tenant_id).count()}


@endpoint("GET", "dead-letters/redrives/", query=words.Paged, gives=Redrives)
def list_redrives(query: words.Paged, place: Any) -> dict[str, Any]:
    """Redrives, newest first, by pages."""
    found = dead_letters.listing(query.limit + 1, before_id=query.before_id)
    page, following = words.page_of(found, query.limit, lambda row: int(row.pk))
    return {"redrives": [documents.redrive(each) for each in page], "next": following}


@endpoint(
    "POST", "dead-letters/redrives/", body=NewRedrive, gives=RedriveDocument, status=201, refusals=(409,),
    one_transaction=False,
)  # fmt: skip
def create_redrive(query: OfTenant, body: NewRedrive, place: Any) -> dict[str, Any]:
    """Give these letters new attempts, and answer after three seconds at most: an unfinished redrive goes on by `resume`.

    If the very same is unfinished, this goes on with it.
    """
    if body.set:
        letter_words.refuse_operators(place)
    row = dead_letters.redrive(
        _chosen(body),
        changes=body.set,
        rate_per_s=body.rate_per_s,
        reason=body.reason,
        most_s=SECONDS_OF_A_REQUEST,
    )
    return {"redrive": documents.redrive(row)}


@endpoint("POST", "dead-letters/redrives/preview/", body=NewRedrive, gives=Would, refusals=(409,))
def preview_redrive(query: OfTenant, body: NewRedrive, place: Any) -> dict[str, Any]:
    """How many letters a redrive would look at, after the same checks; changes nothing."""
    if body.set:
        letter_words.refuse_operators(place)
    return {"letters": dead_letters.would(_chosen(body), changes=body.set, rate_per_s=body.rate_per_s)}


@endpoint("GET", "dead-letters/redrives/<id:redrive_id>/", gives=RedriveDocument, refusals=(404,))
def get_redrive(query: OfTenant, place: Any, redrive_id: int) -> dict[str, Any]:
    """How far a redrive has come."""
    return {"redrive": documents.redrive(dead_letters.get(redrive_id))}


@endpoint(
    "POST", "dead-letters/redrives/<id:redrive_id>/resume/", body=Nothing, gives=RedriveDocument, refusals=(404, 409),
    one_transaction=False,
)  # fmt: skip
def resume_redrive(query: OfTenant, body: Any, place: Any, redrive_id: int) -> dict[str, Any]:
    """Go on with a redrive where it stopped, for three seconds at most; one that has ended is left as it is."""
    return {"redrive": documents.redrive(dead_letters.go_on(redrive_id, most_s=SECONDS_OF_A_REQUEST))}


@endpoint("POST", "dead-letters/redrives/<id:redrive_id>/stop/", body=Why, gives=RedriveDocument, refusals=(404, 409))
def stop_redrive(query: OfTenant, body: Why, place: Any, redrive_id: int) -> dict[str, Any]:
    """Let a redrive move no more letters; those that it has moved come due all the same."""
    return {"redrive": documents.redrive(dead_letters.stop(redrive_id, body.reason))}


def _wanted(said: GroupQuery | Choice) -> Letters:
    return Letters(
        task_name=said.task,
        queue_name=said.queue,
        fingerprint=said.fingerprint,
        failed_since=said.since,
        failed_until=said.until,
    )


def _chosen(body: Choice) -> Letters:
    """Not everything because somebody has forgotten to say what."""
    wanted = _wanted(body)
    if bool(wanted.said()) == body.all:
        raise Problem(
            422, "wrong-value", "Wrong value",
            "Which letters? Name them by task, queue, fingerprint, since or until, or say \"all\": true, and not both.",
        )  # fmt: skip
    return wanted
