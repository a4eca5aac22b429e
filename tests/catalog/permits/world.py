"""A company with work permits and vendor scores for tests, in few words."""

from __future__ import annotations

import io
import itertools
from collections.abc import Sequence
from typing import Any

import pypdfium2

from task_catalog.facility.models import (
    Bt,
    People,
    Question,
    QuestionSet,
    Vendor,
    Wom,
    WomDetails,
)
from tests.catalog.closing.smtp_sink import Received, Sink
from tests.catalog.closing.world import NONE, Company
from youtility_tasks import TaskContext, tenant

EMAILS = ("vendor@build.example", "gate@guard.example, desk@guard.example")
SECTIONS = {"Place of work": ("Hall 3", "Roof"), "Precautions": ("Fire watch <posted>",), "EMAIL": EMAILS}
"""A permit's sections and their answers."""
EXAMPLE = {
    "WORK SAFETY": ("8", "9"),
    "SERVICE DELIVERY": ("7", "7", "8"),
    "LEGAL COMPLIANCE": ("10",),
    "DOCUMENTATION/RECORD": ("8", "9"),
    "TECHNOLOGY DESIGN": ("6",),
    "CPI": ("8",),
    "KPI As Per Agreement": ("2 h", "1 day", "99.5"),
    "REMARKS": ("First words", "Good month"),
}
"""Averages 8.5, 7.3333, 10, 8.5, 6 and 8: together 82.67."""

_serial = itertools.count(1)


class Contractor(Company):
    """One client. Its people have the same codes and names as everybody else's: V1, V2 verify and A1, A2 approve."""

    def __init__(self, name: str, *, ctzoffset: int = 0) -> None:
        super().__init__(name, ctzoffset=ctzoffset)
        self.place = self.site("1")
        self.vendor = self.new_vendor()
        self.kinds: dict[tuple[str, str], QuestionSet] = {}
        self.asked: dict[tuple[str, str], Question] = {}
        self.staff = {code: self.called(code) for code in ("V1", "V2", "A1", "A2")}

    def called(self, code: str, site: Bt | None = None, **columns: Any) -> People:
        """A person with exactly this code."""
        person = self.person(code, site, **{"peoplename": f"Person {code}", **columns})
        People.objects.filter(pk=person.pk).update(peoplecode=code)
        person.refresh_from_db()
        return person

    def new_vendor(self, **columns: Any) -> Vendor:
        facts = {"code": f"V{next(_serial)}", "name": "Build & Sons", "email": "office@build.example", **columns}
        return Vendor.objects.create(client=self.client, bu=self.place, **facts, **self.stamps())

    def permit(self, *, sections: dict[str, Sequence[str]] | None = None, **columns: Any) -> Wom:
        """A permit that waits for V1 and V2, and then for A1 and A2."""
        data = {
            "wp_seqno": 7,
            "wp_name": "Cold Work Permit",
            "wp_verifiers": [self.item(code, "VERIFIER") for code in ("V1", "V2")],
            "wp_approvers": [self.item(code, "APPROVER") for code in ("A1", "A2")],
            **columns.pop("other_data", {}),
        }
        facts = {
            "description": "Paint the hall",
            "identifier": "WP",
            "workpermit": "PENDING",
            "verifiers_status": "PENDING",
            **columns,
        }
        return self.form(SECTIONS if sections is None else sections, other_data=data, **facts)

    def score(self, *, sections: dict[str, Sequence[str]] | None = None, **columns: Any) -> Wom:
        """A vendor's score that waits for A1 and A2."""
        data = {
            "wp_seqno": 3,
            "wp_name": "Monthly Vendor Report",
            "wp_approvers": [self.item(code, "APPROVER") for code in ("A1", "A2")],
            **columns.pop("other_data", {}),
        }
        facts = {
            "description": "Vendor performance",
            "identifier": "SLA",
            "workpermit": "PENDING",
            "verifiers_status": "NOT_REQUIRED",
            **columns,
        }
        return self.form(EXAMPLE if sections is None else sections, other_data=data, **facts)

    def item(self, code: str, identifier: str, status: str = "PENDING") -> dict[str, str]:
        return {"name": f"Person {code}", "peoplecode": code, "identifier": identifier, "status": status}

    def form(self, sections: dict[str, Sequence[str]], **columns: Any) -> Wom:
        facts = {"bu": self.place, "vendor": self.vendor, "parent_id": NONE, "qset_id": NONE, **columns}
        stamps = self.stamps(**{name: facts.pop(name) for name in ("cdtz", "mdtz", "ctzoffset") if name in facts})
        form = Wom.objects.create(client=self.client, **facts, **stamps)
        for seqno, (name, answers) in enumerate(sections.items()):
            self.section(form, name, answers, seqno=seqno)
        return form

    def section(
        self,
        form: Wom,
        name: str,
        answers: Sequence[str],
        *,
        seqno: int,
        kind: str = "SINGLELINE",
        set_type: str = "WORKPERMIT",
    ) -> Wom:
        part = Wom.objects.create(
            description=name,
            identifier=None,
            parent=form,
            seqno=seqno,
            client=self.client,
            bu=self.place,
            qset=self.kind_of(name, set_type),
            other_data={},
            **self.stamps(),
        )
        WomDetails.objects.bulk_create(
            WomDetails(
                wom=part,
                question=self.question(f"{name}: question {number}", kind),
                qset=part.qset,
                seqno=number,
                answertype=kind,
                answer=answer,
                **self.stamps(),
            )
            for number, answer in enumerate(answers, 1)
        )
        return part

    def kind_of(self, name: str, set_type: str) -> QuestionSet:
        if (name, set_type) not in self.kinds:
            self.kinds[name, set_type] = QuestionSet.objects.create(
                qsetname=name, type=set_type, client=self.client, bu=self.place, parent_id=NONE, **self.stamps()
            )
        return self.kinds[name, set_type]

    def question(self, name: str, kind: str) -> Question:
        if (name, kind) not in self.asked:
            self.asked[name, kind] = Question.objects.create(
                quesname=name, answertype=kind, client=self.client, **self.stamps()
            )
        return self.asked[name, kind]


def run_for(company: Company, task: Any, *, attempt: int = 1, **kwargs: Any) -> dict[str, Any]:
    """Run a task's body for a client, here and now, as the attempt given."""
    with tenant(company.id):
        context = TaskContext.for_tests(task, attempt=attempt, tenant_id=company.id)
        result: dict[str, Any] = task.func(context, **kwargs)
        return result


def decide(form: Wom, key: str, **statuses: str) -> Wom:
    """Store what people have decided."""
    form.refresh_from_db()
    for item in form.other_data[key]:
        item["status"] = statuses.get(item["peoplecode"], item["status"])
    form.save(update_fields=["other_data"])
    return form


def change(form: Wom, **columns: Any) -> Wom:
    Wom.objects.filter(pk=form.pk).update(**columns)
    form.refresh_from_db()
    return form


def recipients(mailbox: Sink) -> list[str]:
    """The first recipient of each message, sorted."""
    return sorted(each.recipients[0] for each in mailbox.received)


def subjects(mailbox: Sink) -> set[str]:
    return {each.message["Subject"].strip() for each in mailbox.received}


def pdf_of(received: Received) -> tuple[str, bytes]:
    """The name and the content of a message's only attachment."""
    (part,) = received.message.iter_attachments()
    assert part.get_content_type() == "application/pdf"
    return part.get_filename() or "", part.get_content()


def text_of(document: bytes) -> str:
    return "\n".join(page.get_textpage().get_text_range() for page in pypdfium2.PdfDocument(io.BytesIO(document)))
