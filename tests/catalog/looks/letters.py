"""Every mail of the catalogue, twice: as a good day fills it, and with the worst that people may have typed anywhere."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import task_catalog

TEMPLATES = Path(task_catalog.__file__).parent / "templates" / "task_catalog" / "mail"
HEBREW = "מגדל הנמל הצפוני, כניסה ראשית"
ARABIC = "بوابة المستودع الشمالية — الطابق الثاني"
EMOJI = "🚨🔥👷🏽‍♀️🧑‍🔧 Pump room 🏳️‍🌈"
MARKUP = "</td></table><script>alert('x')</script><h1 style='font-size:90px'>Big</h1><img src=x onerror=alert(1)>"
UNBROKEN = "Donaudampfschifffahrtsgesellschaftskapitaenskajuetenschluesselanhaenger" * 3
LONG = "The northern harbour's second pumping station behind the old customs house, by the weighbridge " * 4
RIGHT_TO_LEFT_TRICK = "invoice\u202egnp.exe"
LINES = "first line\n\n\tsecond line, after a tab\r\nthird line"

_FACTS = {
    "auto_closed": [
        ("Site", "Harbour A003"),
        ("Description", "Check the chiller"),
        ("Planned", "03-Mar-2025 14:00"),
        ("Created by", "Asha Rao"),
        ("Assigned to", "Night shift [GROUP]"),
        ("Expired at", "03-Mar-2025 14:50"),
        ("Ticket", "HARBOUR-A003#12"),
        ("Ticket description", "Task 'Check the chiller', planned for 03-Mar-2025 14:00: no report came in time."),
        ("Category", "Raise a ticket"),
        ("Priority", "HIGH"),
        ("Status", "NEW"),
        ("Ticket created by", "Asha Rao"),
        ("Ticket created", "03-Mar-2025 15:00"),
        ("Ticket assigned to", "Night shift"),
        ("Next escalation", "60 MINUTE"),
    ],
    "ticket": [
        ("Description", "Water is dripping from the ceiling above the switchboard."),
        ("Category", "Plumbing"),
        ("Priority", "HIGH"),
        ("Status", "OPEN"),
        ("Created", "03-Mar-2025 10:20"),
        ("Modified", "03-Mar-2025 12:05"),
        ("Modified by", "Asha Rao"),
        ("Assigned to", "Technicians"),
        ("Comments", "Bucket in place.\nNeeds a plumber."),
        ("Level", "2"),
        ("Escalated in", "3 HOUR"),
        ("Next escalation", "1 DAY"),
    ],
    "reminder": [
        ("Job", "Service the diesel generator"),
        ("Planned", "04-Mar-2025 10:00"),
        ("Description", "Monthly service"),
        ("Site", "Harbour A003"),
        ("Created by", "Asha Rao"),
        ("Modified by", "Asha Rao"),
    ],
    "observation": [
        ("When", "03-03-2025 14:12"),
        ("Performed by", "Tomas Berg"),
        ("Description", "Round of the boiler house"),
    ],
    "deviation": [
        ("Description", "Night round"),
        ("Planned", "03-03-2025 22:00"),
        ("Started", "03-03-2025 22:04"),
        ("Asset", "Gate 4"),
        ("Performed by", "Tomas Berg (G-17), +49 30 555 0147"),
    ],
    "permit": [
        ("Permit", "Hot Work Permit"),
        ("Number", "14"),
        ("Site", "Harbour A003"),
        ("Vendor", "Steel & Sons"),
        ("Status", "PENDING"),
    ],
    "permit_cancelled": [
        ("Permit", "Hot Work Permit"),
        ("Number", "14"),
        ("Site", "Harbour A003"),
        ("Vendor", "Steel & Sons"),
        ("Status", "CANCELLED"),
        ("Cancelled by", "Asha Rao"),
        ("Reason", "Gas was measured in the tank."),
    ],
    "score": [
        ("Report", "Vendor Performance"),
        ("Number", "3"),
        ("Site", "Harbour A003"),
        ("Vendor", "Steel & Sons"),
        ("Service month", "February 2025"),
        ("Status", "PENDING"),
        ("Approvers", "Asha Rao, Tomas Berg"),
    ],
    "report": [
        ("Report", "Task Summary"),
        ("Site", "Harbour A003"),
        ("Period", "02-Mar-2025 06:00 to 03-Mar-2025 06:00"),
        ("Company", "Northwind Facility Services"),
    ],
}
_LINKS = {
    "links": {
        answer: f"https://desk.house.example/permits/reply/?action={answer}&womid=4711&peopleid=12&client_id=3&token="
        + "eyJzIjoiZCIsInciOjQ3MTEsInAiOjEyLCJjIjozfQ:1tqXzK:4mPZ8Q1l5vJxO0YtY3bW6sVnC2rE7uH9kLdFgAaBbCc"
        for answer in ("accepted", "rejected")
    },
    "valid_days": 30,
}
_ANSWERS = [
    {
        "number": 1,
        "checkpoint": "Boiler 2",
        "question": "Pressure in bar",
        "answer": "12.4",
        "options": "-",
        "min": "2",
        "max": "9",
        "alerton": "<2,>9",
    },
    {
        "number": 2,
        "checkpoint": "",
        "question": "Is the emergency exit free?",
        "answer": "No",
        "options": "Yes,No",
        "min": "-",
        "max": "-",
        "alerton": "No",
    },
]
_COMMON = {"company_name": "Northwind Facility Services", "site": "Harbour A003"}
_TICKET = {"ticketno": "HARBOUR-A003#12"}

GOOD: dict[str, tuple[str, dict[str, Any]]] = {
    "auto_closed": ("auto_closed", {**_TICKET, "what": "TASK", "planned": "03-Mar-2025 14:00"}),
    "ticket_created": ("ticket", {**_TICKET, "event": "created", "level": 0}),
    "ticket_escalated": (
        "ticket",
        {**_TICKET, "event": "escalated", "level": 2, "matrix_body": "Call the site manager.\nThen call us."},
    ),
    "reminder": ("reminder", {"job": "Service the diesel generator", "planned": "04-Mar-2025 10:00"}),
    "observation": (
        "observation",
        {"checkpoint": "Boiler 2", "checklist": "Boiler house", "answers": _ANSWERS, "left_out": ["film.mp4"]},
    ),
    "deviation": ("deviation", {"description": "Night round"}),
    "permit_verify": (
        "permit_decision",
        {"permit": "Hot Work Permit", "number": 14, "step": "verify", "person": "Asha Rao", **_LINKS},
    ),
    "permit_approve": (
        "permit_decision",
        {
            "permit": "Hot Work Permit",
            "number": 14,
            "step": "approval",
            "person": "Asha Rao",
            "has_document": True,
            **_LINKS,
        },
    ),
    "permit_cancelled": (
        "permit_news",
        {"permit": "Hot Work Permit", "number": 14, "status": "CANCELLED", "news": "cancel"},
    ),
    "permit_returned": (
        "permit_news",
        {"permit": "Hot Work Permit", "number": 14, "status": "COMPLETED", "news": "rwp", "has_document": True},
    ),
    "permit_approved": (
        "permit_news",
        {"permit": "Hot Work Permit", "number": 14, "status": "APPROVED", "news": "approved", "has_document": True},
    ),
    "score_decision": (
        "score_decision",
        {
            "vendor": "Steel & Sons",
            "month": "February",
            "year": 2025,
            "score": "82.67",
            "person": "Asha Rao",
            **_LINKS,
        },
    ),
    "score_news": ("score_news", {"vendor": "Steel & Sons", "month": "February", "year": 2025, "score": "82.67"}),
    "report_requested": (
        "report_requested",
        {"report_name": "Task Summary", "email_body": "For Monday's meeting.\nThank you."},
    ),
    "report_onfly": ("report_onfly", {"report_name": "Task Summary", "at": "03-Mar-2025 18:30:00", "email_body": ""}),
    "report_scheduled": (
        "report_scheduled",
        {"report_name": "Task Summary", "period": "02-Mar-2025 06:00 to 03-Mar-2025 06:00"},
    ),
    "admin_notice": (
        "admin_notice",
        {
            "notice": "Plan 311 cannot be scheduled: bad_cron",
            "lines": [
                "Plan 311, 'Check the chiller': its cron cannot be read, or never fires.",
                "'61 * * * *': minute 61 is not in 0-59",
                "The other plans were scheduled.",
            ],
        },
    ),
}
_FACTS_OF = {"permit_cancelled": "permit_cancelled", "admin_notice": ""}
_KEEP = {"links", "valid_days", "answers", "facts", "lines", "event", "step", "news", "has_document", "level"}


_STATUS = {"permit_returned": "COMPLETED", "permit_approved": "APPROVED", "score_news": "APPROVED"}


def good(name: str) -> tuple[str, dict[str, Any]]:
    """Template and context of one mail as a good day fills it."""
    template, given = GOOD[name]
    return template, {**_COMMON, "facts": _facts(name), **given}


def hostile(name: str) -> tuple[str, dict[str, Any]]:
    """The same mail where every free text is the worst."""
    template, given = good(name)
    worst = [LONG, UNBROKEN, HEBREW, MARKUP, EMOJI, ARABIC, LINES, RIGHT_TO_LEFT_TRICK]
    context = {key: value if key in _KEEP else f"{EMOJI} {UNBROKEN} {HEBREW} {MARKUP}" for key, value in given.items()}
    context["facts"] = [(label, worst[n % len(worst)]) for n, (label, _) in enumerate(given["facts"])]
    if "answers" in given:
        context["answers"] = [
            {**each, "checkpoint": LONG, "question": UNBROKEN, "answer": MARKUP, "options": "Yes,No,Perhaps," * 12}
            for each in given["answers"]
        ] + [{**given["answers"][0], "question": ARABIC, "answer": HEBREW}]
        context["left_out"] = [UNBROKEN, LONG]
    if "lines" in given:
        context["lines"] = worst
    return template, context


def _facts(name: str) -> list[tuple[str, str]]:
    for key in (_FACTS_OF.get(name), name, name.split("_")[0]):
        if key == "":
            return []
        if key in _FACTS:
            return [(label, _STATUS.get(name, value) if label == "Status" else value) for label, value in _FACTS[key]]
    return _FACTS["report"]
