"""Makes what the company's offices work with: permit and score forms, vendors, approvers, shifts, scheduled reports."""

from __future__ import annotations

from datetime import date, datetime, time
from typing import TYPE_CHECKING

from task_catalog import entities

from .company import ClientRows, domain
from .definitions import midnight
from .paperwork import (
    PERMIT_NAMES,
    PERMIT_SECTIONS,
    RETURN_SECTION,
    SCORES,
    SECURITY_ADDRESSES,
    VENDOR_ADDRESSES,
    WEIGHTS,
)
from .reporting import LAST_GENERATED_BEFORE, SCHEDULED, SEND_TIME

if TYPE_CHECKING:
    from task_catalog.facility.models import QuestionSet

SCORE_FORM = "Vendor performance"
_SHIFTS = (("Early", time(6), time(14)), ("Late", time(14), time(22)), ("Night", time(22), time(6)))


def make_office(rows: ClientRows, day: date, made_at: datetime) -> None:
    """All of it for one client; the numbers do not depend on its sites, but for the shifts."""
    for name in PERMIT_NAMES:
        _make_form(rows, name, "WORKPERMIT", {**PERMIT_SECTIONS, **RETURN_SECTION}, made_at)
    marks = SCORES[rows.client.letter][0].answers
    questions = {section: tuple(f"Mark {n + 1}" for n in range(_most_answers(section))) for section in marks}
    _make_form(rows, SCORE_FORM, "SLA_TEMPLATE", questions, made_at)
    _make_vendor(rows, made_at)
    _make_approvers(rows, made_at)
    _make_shifts(rows, made_at)
    _make_scheduled_reports(rows, day, made_at)


def _most_answers(section: str) -> int:
    return max(len(score.answers[section]) for scores in SCORES.values() for score in scores)


def _make_form(rows: ClientRows, name: str, kind: str, sections: dict[str, tuple[str, ...]], made_at: datetime) -> None:
    common = {**rows.stamps(made_at), "client_id": rows.id}
    form = entities.QuestionSet.objects.create(
        qsetname=name, type=kind, parent_id=entities.none_id(), bu_id=rows.id, **common
    )
    made = entities.QuestionSet.objects.bulk_create(
        entities.QuestionSet(
            qsetname=section,
            type="RETURN_WORK_PERMIT" if section in RETURN_SECTION else kind,
            parent=form,
            seqno=n,
            bu_id=rows.id,
            **common,
        )
        for n, section in enumerate(sections, start=1)
    )
    asked = entities.Question.objects.bulk_create(
        entities.Question(quesname=f"{name}: {section}: {text}", answertype=_answertype(kind, section), **common)
        for section, texts in sections.items()
        for text in texts
    )
    wanted = [(qset, n) for qset in made for n in range(1, len(sections[qset.qsetname]) + 1)]
    entities.QuestionSetBelonging.objects.bulk_create(
        entities.QuestionSetBelonging(
            qset=qset, question=question, seqno=n, answertype=question.answertype, bu_id=rows.id, **common
        )
        for (qset, n), question in zip(wanted, asked, strict=True)
    )
    rows.qsets[name] = form
    rows.sections[name] = made
    for (qset, _), question in zip(wanted, asked, strict=True):
        rows.questions.setdefault(qset.pk, []).append(question)


def _answertype(kind: str, section: str) -> str:
    if section == "EMAIL":
        return "EMAILID"
    return "NUMERIC" if kind == "SLA_TEMPLATE" and WEIGHTS[section] else "SINGLELINE"


def _make_vendor(rows: ClientRows, made_at: datetime) -> None:
    """Vendor codes begin again at each client, as people's do."""
    rows.vendor = entities.Vendor.objects.create(
        code="V1",
        name=f"Fixers {rows.client.letter}",
        email=addresses(rows)[0],
        client_id=rows.id,
        bu_id=rows.id,
        **rows.stamps(made_at),
    )


def addresses(rows: ClientRows) -> list[str]:
    """Who hears of a permit's end, as typed into its EMAIL section: the vendor first, then security."""
    vendor = [f"vendor{n}@{domain(rows.client)}" for n in range(1, VENDOR_ADDRESSES + 1)]
    return vendor + [f"security{n}@{domain(rows.client)}" for n in range(1, SECURITY_ADDRESSES + 1)]


def _make_approvers(rows: ClientRows, made_at: datetime) -> None:
    entities.Approver.objects.bulk_create(
        entities.Approver(
            people=person,
            approverfor=["WORKPERMIT", "SLA_TEMPLATE"] if role == "approver" else ["WORKPERMIT"],
            identifier=role.upper(),
            client_id=rows.id,
            bu_id=rows.id,
            **rows.stamps(made_at),
        )
        for role in ("verifier", "approver")
        for person in rows.people[role]
    )


def _make_shifts(rows: ClientRows, made_at: datetime) -> None:
    entities.Shift.objects.bulk_create(
        entities.Shift(
            shiftname=name, starttime=starts, endtime=ends, bu=site, client_id=rows.id, **rows.stamps(made_at)
        )
        for site in rows.sites
        for name, starts, ends in _SHIFTS
    )


def _make_scheduled_reports(rows: ClientRows, day: date, made_at: datetime) -> None:
    """Of the first site. Type, hour and send time are the same for each client, on purpose (D29)."""
    generated_at = midnight(day) - LAST_GENERATED_BEFORE
    entities.ScheduleReport.objects.bulk_create(
        entities.ScheduleReport(
            report_type=report.code,
            report_name=report.name,
            report_params={"format": "csv", "site": rows.sites[0].pk},
            cron=report.cron,
            crontype=report.crontype,
            workingdays=str(report.working_days or ""),
            report_sendtime=SEND_TIME,
            to_addr=[f"desk@{domain(rows.client)}"],
            cc=[rows.admin.email],
            lastgeneratedon=generated_at,
            uptodatetime=generated_at,
            bu=rows.sites[0],
            client_id=rows.id,
            **rows.stamps(made_at),
        )
        for report in SCHEDULED
    )


def section_of(rows: ClientRows, form: str, name: str) -> QuestionSet:
    """A section of a form by its name."""
    return next(section for section in rows.sections[form] if section.qsetname == name)
