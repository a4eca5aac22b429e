"""Permits and vendors' scores: how each one ends, which mails it takes, how well the vendor did (R-WP, R-SLA)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

from task_catalog.company_day.definitions import CLIENTS, PEOPLE_PER_CLIENT, Client
from task_catalog.company_day.paperwork import (
    PERMIT_TURNS,
    SCORES,
    SECURITY_ADDRESSES,
    VENDOR_ADDRESSES,
    WEIGHTS,
    Score,
)

ENDS = ("returned", "approved", "cancelled", "rejected")
ADDRESSES = VENDOR_ADDRESSES + SECURITY_ADDRESSES

VERIFY_WEB = "send_email_notification_for_wp_verifier"
VERIFY_MOBILE = "send_email_notification_for_wp_from_mobile_for_verifier"
APPROVE = "send_email_notification_for_workpermit_approval"
LEGACY = "send_email_notification_for_wp"
CANCELLED = "send_email_notification_for_vendor_and_security_of_wp_cancellation"
RETURNED = "send_email_notification_for_vendor_and_security_for_rwp"
APPROVED = "send_email_notification_for_vendor_and_security_after_approval"
SCORE_ASKED = "send_email_notification_for_sla_report"
SCORE_TOLD = "send_email_notification_for_sla_vendor"


@dataclass(frozen=True, slots=True)
class Permit:
    """Permit `number` of a client; the even ones are asked for on the web, the odd ones from a device."""

    client: Client
    number: int

    @property
    def is_mobile(self) -> bool:
        return self.number % 2 == 1

    @property
    def end(self) -> str:
        return PERMIT_TURNS[self.number % len(PERMIT_TURNS)]

    @property
    def tasks(self) -> tuple[str, ...]:
        """The tasks that its life takes, one job each."""
        after = {
            "returned": (APPROVE, APPROVED, RETURNED),
            "approved": (APPROVE, APPROVED),
            "cancelled": (APPROVE, CANCELLED),
            "rejected": (),
        }
        legacy = (LEGACY,) if self.number == 0 else ()
        return (VERIFY_MOBILE if self.is_mobile else VERIFY_WEB, *legacy, *after[self.end])


MESSAGES = {
    VERIFY_WEB: PEOPLE_PER_CLIENT["verifier"],
    VERIFY_MOBILE: PEOPLE_PER_CLIENT["verifier"],
    APPROVE: PEOPLE_PER_CLIENT["approver"],
    LEGACY: PEOPLE_PER_CLIENT["approver"],
    CANCELLED: ADDRESSES,
    RETURNED: ADDRESSES,
    APPROVED: ADDRESSES,
    SCORE_ASKED: PEOPLE_PER_CLIENT["approver"],
    SCORE_TOLD: 1,
}
"""How many messages one job of a task sends."""


def permits() -> list[Permit]:
    """All permits of the day, in order of client and creation."""
    return [Permit(client, number) for client in CLIENTS for number in range(client.permits)]


def scores() -> Iterator[tuple[Client, int, Score]]:
    """All performance reports, numbered within their client."""
    for client in CLIENTS:
        for number, score in enumerate(SCORES[client.letter]):
            yield client, number, score


def jobs() -> list[tuple[str, Client]]:
    """Every job of permits and scores: which task, for whom."""
    of_permits = [(task, permit.client) for permit in permits() for task in permit.tasks]
    asked = [(SCORE_ASKED, client) for client, _, _ in scores()]
    return of_permits + asked + [(SCORE_TOLD, client) for client, _, score in scores() if score.is_accepted]


def overall(score: Score) -> str:
    """Ten times the weighted averages of the marks, as text with two decimals."""
    total = Fraction(0)
    for section, answers in score.answers.items():
        marks = [int(answer) for answer in answers if answer.isdecimal() and int(answer) <= 10]
        if marks:
            total += Fraction(sum(marks), len(marks)) * Fraction(WEIGHTS[section], 10)
    return f"{float(total):.2f}"
