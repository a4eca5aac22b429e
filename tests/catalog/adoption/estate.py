"""One client with one of each thing that a task may be asked about, and a good call of each of the 32."""

from __future__ import annotations

import json
from functools import cached_property
from pathlib import Path
from typing import Any

from django.conf import settings

from task_catalog.facility.models import Job, Jobneed, PeopleEventlog, Ticket, Wom
from tests.catalog.closing.world import NOON
from tests.catalog.outside.punches import punch
from tests.catalog.permits.world import Contractor


class Estate(Contractor):
    """A client with a site, people, permits and scores."""

    @cached_property
    def plan_row(self) -> Job:
        return self.plan(self.place, identifier="TASK")

    @cached_property
    def ppm_plan(self) -> Job:
        return self.plan(self.place, identifier="PPM")

    @cached_property
    def visit(self) -> Jobneed:
        return self.work(self.place)

    @cached_property
    def a_ticket(self) -> Ticket:
        return self.ticket(self.place)

    @cached_property
    def a_permit(self) -> Wom:
        return self.permit()

    @cached_property
    def a_score(self) -> Wom:
        return self.score()

    @cached_property
    def a_punch(self) -> PeopleEventlog:
        return punch(self, self.staff["V1"])

    @cached_property
    def a_file(self) -> str:
        path = Path(settings.TASK_CATALOG["ondemand_reports_folder"]) / str(self.id) / "report.csv"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("a,b\n")
        return str(path)

    def report_form(self, **more: Any) -> dict[str, Any]:
        return {
            "report_name": "TASKSUMMARY",
            "format": "csv",
            "export_type": "DOWNLOAD",
            "site": self.place.pk,
            "fromdate": "2025-03-03",
            "uptodate": "2025-03-03",
            "ctzoffset": 0,
            **more,
        }

    def call(self, name: str) -> dict[str, Any]:
        """A good call of a task, every argument given, in the order in which Celery's call sites give them."""
        return dict(getattr(self, f"_{name}")())

    def _create_ppm_job(self) -> dict[str, Any]:
        return {"jobid": self.ppm_plan.pk}

    def _auto_close_jobs(self) -> dict[str, Any]:
        return {"jobneedid": self.visit.pk}

    def _create_job(self) -> dict[str, Any]:
        return {"jobids": [self.plan_row.pk]}

    def _perform_facerecognition_bgt(self) -> dict[str, Any]:
        event = self.a_punch
        return {"pel_uuid": str(event.uuid), "peopleid": event.people_id, "db": "default", "attachment_uuid": None}

    def _process_graphql_mutation_async(self) -> dict[str, Any]:
        return {"payload": json.dumps({"mutation": "mutation { insertRecord(records: []) { output { rc } } }"})}

    def _ticket_escalation(self) -> dict[str, Any]:
        return {}

    def _send_ticket_email(self) -> dict[str, Any]:
        return {"id": self.a_ticket.pk, "event": "created", "level": 0}

    def _send_reminder_email(self) -> dict[str, Any]:
        return {}

    def _alert_sendmail(self) -> dict[str, Any]:
        return {"id": self.visit.pk, "event": "observation", "atts": True}

    def _send_email_notification_for_workpermit_approval(self) -> dict[str, Any]:
        return {
            "womid": self.a_permit.pk,
            "approvers": ["Person A1"],
            "approvers_code": ["A1"],
            "sitename": self.place.buname,
            "workpermit_status": "PENDING",
            "permit_name": "Cold Work Permit",
            "workpermit_attachment": "/tmp/permit.pdf",  # noqa: S108 - never opened
            "vendor_name": "Build & Sons",
            "client_id": self.id,
        }

    def _send_email_notification_for_wp_verifier(self) -> dict[str, Any]:
        return {
            "womid": self.a_permit.pk,
            "verifiers": ["V1"],
            "sitename": self.place.buname,
            "workpermit_status": "PENDING",
            "permit_name": "Cold Work Permit",
            "vendor_name": "Build & Sons",
            "client_id": self.id,
            "workpermit_attachment": None,
        }

    _send_email_notification_for_wp_from_mobile_for_verifier = _send_email_notification_for_wp_verifier

    def _send_email_notification_for_wp(self) -> dict[str, Any]:
        return {
            "womid": self.a_permit.pk,
            "qsetid": self.a_permit.qset_id,
            "approvers": ["A1"],
            "client_id": self.id,
            "bu_id": self.place.pk,
            "sitename": self.place.buname,
            "workpermit_status": "PENDING",
            "vendor_name": "Build & Sons",
        }

    def _send_email_notification_for_vendor_and_security_of_wp_cancellation(self) -> dict[str, Any]:
        return {
            "wom_id": self.a_permit.pk,
            "sitename": self.place.buname,
            "workpermit_status": "CANCELLED",
            "vendor_name": "Build & Sons",
            "permit_name": "Cold Work Permit",
            "permit_no": 7,
            "submit_work_permit": False,
            "submit_work_permit_from_mobile": True,
        }

    def _send_email_notification_for_vendor_and_security_for_rwp(self) -> dict[str, Any]:
        return {
            "wom_id": self.a_permit.pk,
            "sitename": self.place.buname,
            "workpermit_status": "COMPLETED",
            "vendor_name": "Build & Sons",
            "pdf_path": "/tmp/permit.pdf",  # noqa: S108 - never opened
            "permit_name": "Cold Work Permit",
            "permit_no": 7,
        }

    _send_email_notification_for_vendor_and_security_after_approval = (
        _send_email_notification_for_vendor_and_security_for_rwp
    )

    def _send_email_notification_for_sla_vendor(self) -> dict[str, Any]:
        return {"wom_id": str(self.a_score.uuid), "report_attachment": None, "sitename": self.place.buname}

    def _send_email_notification_for_sla_report(self) -> dict[str, Any]:
        return {"slaid": self.a_score.pk, "sitename": self.place.buname}

    def _send_generated_report_onfly_email(self) -> dict[str, Any]:
        return {
            "filepath": self.a_file,
            "fromemail": "boss@acme.example",
            "to": ["desk@acme.example"],
            "cc": ["office@acme.example"],
            "ctzoffset": 330,
        }

    def _create_scheduled_reports(self) -> dict[str, Any]:
        return {}

    def _create_save_report_async(self) -> dict[str, Any]:
        person = self.staff["V1"]
        return {
            "formdata": self.report_form(),
            "client_id": self.id,
            "user_email": person.email,
            "user_id": person.pk,
        }

    def _send_report_on_email(self) -> dict[str, Any]:
        form = self.report_form(export_type="SEND", to_addr=["desk@acme.example"])
        return {"formdata": form, "json_report": json.dumps({"report": "YSxiCg=="}), "request_key": "1"}

    def _send_generated_report_on_mail(self) -> dict[str, Any]:
        return {}

    def _create_report_history(self) -> dict[str, Any]:
        return {
            "formdata": self.report_form(),
            "userid": self.staff["V1"].pk,
            "buid": self.place.pk,
            "EI": [None, None, None],
            "client_id": self.id,
            "has_data": True,
            "request_key": "1",
            "made_error": None,
            "mail_error": None,
            "file_error": None,
        }

    def _cleanup_expired_sessions_task(self) -> dict[str, Any]:
        return {"retention_days": 0}

    def _move_media_to_cloud_storage(self) -> dict[str, Any]:
        return {"skip_days": 60, "limit": 5}

    def _cleanup_reports_which_are_12hrs_old(self) -> dict[str, Any]:
        return {"dir_path": settings.TASK_CATALOG["ondemand_reports_folder"], "hours_old": 12}

    def _task_every_min(self) -> dict[str, Any]:
        return {"timestamp": int(NOON.timestamp())}

    def _publish_mqtt(self) -> dict[str, Any]:
        return {"topic": "redmine_to_noc", "payload": json.dumps({"operation": "CREATE"})}

    def _insert_json_records_async(self) -> dict[str, Any]:
        record = {"uuid": "6f2d1a52-6c6e-4c4c-9a8b-0d8c1b9a1111", "deviceid": "d", "people_id": self.staff["V1"].pk}
        return {"records": [json.dumps(record)], "tablename": "tracking"}

    def _process_graphql_download_async(self) -> dict[str, Any]:
        return {"payload": json.dumps({"query": "{ __typename }"})}

    def _send_mismatch_notification(self) -> dict[str, Any]:
        event = self.a_punch
        return {
            "mismatch_data": {
                "pel_uuid": str(event.uuid),
                "people_id": event.people_id,
                "client_id": self.id,
                "bu_id": event.bu_id,
                "side": "in",
                "distance": 0.62,
                "threshold": 0.4,
                "at": NOON.isoformat(),
            }
        }
