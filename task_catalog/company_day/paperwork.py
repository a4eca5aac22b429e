"""Permits and vendors' scores of the day, as plain data (catalog.md 5.5): what is asked for, and how each one ends."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

PERMIT_TURNS = ("returned", "returned", "approved", "cancelled", "rejected")
"""What becomes of permit i of a client, by i mod 5; a rejected one is refused by a verifier, the others are verified."""
FIRST_PERMIT_AFTER, PERMIT_EVERY = timedelta(hours=1), timedelta(minutes=40)
VERIFIED_AFTER, APPROVED_AFTER = timedelta(minutes=30), timedelta(minutes=60)
CANCELLED_AFTER, RETURNED_AFTER = timedelta(minutes=70), timedelta(hours=4)
"""How long after its creation a permit is verified or refused, approved, cancelled, returned."""
LEGACY_AFTER = timedelta(minutes=12)
"""When the old way of asking for approval is used for the first permit of each client, which is then still pending."""

PERMIT_NAMES = ("Cold Work Permit", "Hot Work Permit", "Height Work Permit", "Electrical Work Permit")
PERMIT_SECTIONS = {
    "GENERAL DETAILS": ("Kind of work", "Place of work"),
    "PRECAUTIONS": ("Area is closed off", "Fire watch is there"),
    "EMAIL": ("Vendor", "Security"),
}
"""Sections of a permit and their questions; the answers of EMAIL are lists of addresses."""
RETURN_SECTION = {"COMPLETED ON RETURN": ("Place is clean",)}
VENDOR_ADDRESSES, SECURITY_ADDRESSES = 1, 2

WEIGHTS = {
    "WORK SAFETY": 20,
    "SERVICE DELIVERY": 20,
    "LEGAL COMPLIANCE": 20,
    "DOCUMENTATION/RECORD": 20,
    "TECHNOLOGY DESIGN": 10,
    "CPI": 10,
    "KPI As Per Agreement": 0,
    "REMARKS": 0,
}
"""Sections of a vendor's score by their weight in percent."""
FIRST_SCORE_AFTER, SCORE_EVERY = timedelta(hours=2), timedelta(hours=1)
SCORE_DECIDED_AFTER = timedelta(hours=3)


@dataclass(frozen=True, slots=True)
class Score:
    """One performance report: the answers by section, and whether the approvers accept it."""

    answers: dict[str, tuple[str, ...]]
    is_accepted: bool


def _score(*marks: tuple[int, ...], remark: str, is_accepted: bool = True) -> Score:
    graded = [section for section, weight in WEIGHTS.items() if weight]
    answers = {section: tuple(map(str, given)) for section, given in zip(graded, marks, strict=True)}
    answers |= {"KPI As Per Agreement": ("30 min", "4 h", "99.5"), "REMARKS": (remark,)}
    return Score(answers, is_accepted)


SCORES = {
    "A": (
        _score((8, 9), (7, 7, 8), (10, 10), (8, 9), (6,), (8,), remark="Good work"),
        _score((10, 10), (10, 10), (10,), (10, 10), (10,), (10,), remark="Nothing to add"),
        _score((5, 6), (7,), (8, 9), (4,), (0, 10), (3,), remark="Papers are missing"),
    ),
    "B": (
        _score((9,), (8, 8, 9), (7,), (6, 7), (5,), (10, 9), remark="On time"),
        _score((0,), (1, 2), (3,), (4, 4, 5), (6,), (7,), remark="Not on time"),
    ),
    "C": (_score((2, 3), (4,), (5,), (6,), (7,), (8,), remark="Disputed", is_accepted=False),),
}
"""The performance reports of each client; the averages of A's first are those of the example in R-SLA."""
