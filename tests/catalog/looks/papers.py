"""The catalogue's documents with good and with the worst contents: what their templates are given."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from tests.catalog.looks.letters import ARABIC, EMOJI, HEBREW, LINES, LONG, MARKUP, RIGHT_TO_LEFT_TRICK, UNBROKEN

WORST = [LONG, UNBROKEN, HEBREW, MARKUP, EMOJI, ARABIC, LINES, RIGHT_TO_LEFT_TRICK]
_ALL = f"{UNBROKEN} {HEBREW} {MARKUP} {EMOJI}"
_HEAD = {"company_name": "Northwind Facility Services", "site": "Harbour A003", "vendor": "Steel & Sons"}
_SECTIONS = [
    {
        "name": "Work details",
        "answers": [
            {"question": "What is to be done?", "answer": "Weld the railing of the second platform."},
            {"question": "From", "answer": "03-Mar-2025 14:00"},
        ],
    },
    {"name": "Precautions", "answers": [{"question": f"Precaution {n}", "answer": "Yes"} for n in range(1, 14)]},
    {"name": "Remarks", "answers": []},
]
_WORST_SECTIONS = [
    {"name": name, "answers": [{"question": q, "answer": a} for q, a in zip(WORST, reversed(WORST), strict=True)]}
    for name in WORST[:3]
]
_WEIGHTS = {
    "WORK SAFETY": ("8.5", 20),
    "SERVICE DELIVERY": ("7.3333", 20),
    "LEGAL COMPLIANCE": ("10", 20),
    "CPI": ("8", 10),
}
_PERMIT: dict[str, Any] = {
    **_HEAD,
    "title": "Hot Work Permit",
    "number": 14,
    "verifiers_status": "APPROVED",
    "approval_status": "PENDING",
    "work_status": "ASSIGNED",
    "changed": "03-Mar-2025 14:00",
    "sections": _SECTIONS,
    "returned": [],
    "verified_by": ["Asha Rao", "Tomas Berg"],
    "approved_by": [],
}
_SCORE: dict[str, Any] = {
    **_HEAD,
    "title": "Vendor Performance",
    "number": 3,
    "month": "February",
    "year": 2025,
    "overall": "82.67",
    "approval_status": "PENDING",
    "approvers": "Asha Rao, Tomas Berg",
    "changed": "03-Mar-2025 14:00",
    "score": {"sections": [], "remarks": "A good month."},
    "history": [
        {"month": f"{n:02} 24", "score": score, "height": float(score or 0) * 0.16}
        for n, score in enumerate(
            [None, "71.00", "100", "68.5", None, "0.5", "90.25", "60", "55.1", "80", "77", "82.67"]
        )
    ],
    "sections": _SECTIONS,
}


def _scored(names: list[str]) -> list[dict[str, Any]]:
    return [
        {"name": name, "average": Decimal(average), "percent": float(average) * 10, "weight_percent": weight}
        for name, (average, weight) in zip(names, _WEIGHTS.values(), strict=False)
    ]


_TYPED = dict.fromkeys(("title", "site", "vendor", "company_name"), _ALL)
PAPERS: dict[str, tuple[str, dict[str, Any]]] = {
    "permit, good": ("permit", _PERMIT),
    "permit, hostile": (
        "permit",
        {
            **_PERMIT,
            **_TYPED,
            "sections": _WORST_SECTIONS,
            "returned": [{"question": each, "answer": each} for each in WORST],
            "verified_by": WORST,
        },
    ),
    "score, good": ("score", {**_SCORE, "score": {**_SCORE["score"], "sections": _scored(list(_WEIGHTS))}}),
    "score, hostile": (
        "score",
        {
            **_SCORE,
            **_TYPED,
            "approvers": _ALL,
            "score": {"sections": _scored(WORST), "remarks": f"{LONG} {UNBROKEN} {ARABIC}"},
            "sections": _WORST_SECTIONS,
        },
    ),
}
