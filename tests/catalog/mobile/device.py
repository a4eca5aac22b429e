"""A mobile device in tests: writes the messages that the application's devices write, and has them worked on."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from task_catalog.facility.models import Bt, Jobneed, JobneedDetails, People, Question, QuestionSet
from task_catalog.high_priority.mobile import process_graphql_mutation_async
from task_catalog.maintenance.queries import process_graphql_download_async
from task_catalog.maintenance.records import insert_json_records_async
from tests.catalog.closing.world import NONE, Company
from youtility_tasks import tenant

MUTATIONS = {
    "insertRecord": "($records: [String!]!) { insertRecord(records: $records) { rc msg recordcount uuids } }",
    "updateTaskTour": "($records: [String!]!) { updateTaskTour(records: $records) { rc msg recordcount uuids } }",
    "uploadReport": "($records: [String!]!) { uploadReport(records: $records) { rc msg recordcount uuids } }",
    "adhocRecord": "($records: [String!]!) { adhocRecord(records: $records) { rc msg recordcount uuids } }",
    "uploadAttachment": "($bytes: [Int!]!, $biodata: String!, $record: String!) "
    "{ uploadAttachment(bytes: $bytes, biodata: $biodata, record: $record) { rc msg recordcount uuids } }",
    "insertJson": "($jsondata: [String!]!, $tablename: String!) "
    "{ insertJson(jsondata: $jsondata, tablename: $tablename) { rc msg recordcount uuids } }",
    "syncUpload": "($file: String!) { syncUpload(file: $file) { rc msg recordcount uuids } }",
}


@dataclass
class Device:
    """One person's device at one site."""

    company: Company
    site: Bt
    person: People

    def payload(self, mutation: str, **variables: Any) -> str:
        return json.dumps(
            {
                "mutation": f"mutation {mutation[0].upper()}{mutation[1:]}{MUTATIONS[mutation]}",
                "variables": variables,
                "uuids": [],
                "serviceName": mutation,
            }
        )

    def send(self, mutation: str, *records: Any, **variables: Any) -> dict[str, Any]:
        """Have one message worked on; `records` become the variable of that name, each as JSON text."""
        if records:
            variables["records"] = [json.dumps(record) for record in records]
        return self.deliver(self.payload(mutation, **variables))

    def deliver(self, payload: str) -> dict[str, Any]:
        with tenant(self.company.id):
            result: dict[str, Any] = process_graphql_mutation_async.func(payload=payload)
        return result

    def ask(self, query: str, **variables: Any) -> dict[str, Any]:
        with tenant(self.company.id):
            result: dict[str, Any] = process_graphql_download_async.func(
                payload=json.dumps({"query": query, "variables": variables})
            )
        return result

    def batch(self, tablename: Any, *records: Any) -> dict[str, Any]:
        with tenant(self.company.id):
            result: dict[str, Any] = insert_json_records_async.func(
                records=[record if isinstance(record, str) else json.dumps(record) for record in records],
                tablename=tablename,
            )
        return result

    def punch(self, kind: str = "SELF", *, of_kind: str = "PEOPLEEVENT", **columns: Any) -> dict[str, Any]:
        return {
            "tablename": "peopleeventlog",
            "uuid": str(uuid4()),
            "people_id": self.person.pk,
            "client_id": self.company.id,
            "bu_id": self.site.pk,
            "peventtype_id": self.company.word(kind, of_kind).pk,
            "punchintime": "2025-03-03 03:00:00",
            "datefor": "2025-03-03",
            "startlocation": "18.5204,73.8567",
            "ctzoffset": 330,
            **columns,
        }

    def ticket(self, **columns: Any) -> dict[str, Any]:
        return {
            "tablename": "ticket",
            "uuid": str(uuid4()),
            "ticketdesc": "A leak",
            "client_id": self.company.id,
            "bu_id": self.site.pk,
            "assignedtopeople_id": self.person.pk,
            "priority": "MEDIUM",
            "cuser_id": self.person.pk,
            "muser_id": self.person.pk,
            "ctzoffset": 330,
            **columns,
        }

    def track(self, **columns: Any) -> dict[str, Any]:
        return {
            "uuid": str(uuid4()),
            "deviceid": "d1",
            "gpslocation": "18.5,73.8",
            "receiveddate": "2025-03-03 04:00:00",
            "people_id": self.person.pk,
            "identifier": "TRACKING",
            **columns,
        }

    def done(self, visit: Jobneed, *, answer: str = "Yes", alert: bool = False, **columns: Any) -> dict[str, Any]:
        """A visit that is done, every question answered; `alert`: the first answer is out of range."""
        asked = JobneedDetails.objects.filter(jobneed=visit).exclude(question_id=NONE).order_by("seqno")
        return {
            "uuid": str(visit.uuid),
            "jobstatus": "COMPLETED",
            "starttime": "2025-03-03 10:05:00",
            "endtime": "2025-03-03 10:15:00+00:00",
            "performedby_id": self.person.pk,
            "muser_id": self.person.pk,
            "gpslocation": "18.52,73.85",
            "details": [
                {"uuid": str(each.uuid), "answer": f'["{answer}"]', "alerts": alert and nth == 0}
                for nth, each in enumerate(asked)
            ],
            **columns,
        }

    def asked(self, visit: Jobneed, count: int = 2, **columns: Any) -> list[JobneedDetails]:
        """Put so many questions to a visit."""
        stamps = self.company.stamps()
        checklist, _ = QuestionSet.objects.get_or_create(
            qsetname="Rounds", client_id=self.company.id, bu=self.site, parent_id=NONE, defaults=stamps
        )
        Jobneed.objects.filter(pk=visit.pk).update(qset=checklist)
        questions = [
            Question.objects.get_or_create(
                quesname=f"Question {nth}", answertype="NUMERIC", client_id=self.company.id, defaults=stamps
            )[0]
            for nth in range(1, count + 1)
        ]
        return JobneedDetails.objects.bulk_create(
            [
                JobneedDetails(
                    jobneed=visit,
                    seqno=nth,
                    question=question,
                    qset=checklist,
                    answertype="NUMERIC",
                    **columns,
                    **stamps,
                )
                for nth, question in enumerate(questions, start=1)
            ]
        )


def at(hour: int, minute: int = 0) -> datetime:
    """An instant of the day."""
    return datetime(2025, 3, 3, hour, minute, tzinfo=UTC)
