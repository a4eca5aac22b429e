"""The labels, models and tables that the real application has."""

from __future__ import annotations

OF_LABEL = {
    "onboarding": {"Bt": "bt", "TypeAssist": "typeassist", "Shift": "shift", "GeofenceMaster": "geofencemaster"},
    "peoples": {"People": "people", "Pgroup": "pgroup", "Pgbelonging": "pgbelonging"},
    "activity": {
        "Asset": "asset",
        "Location": "location",
        "Question": "question",
        "QuestionSet": "questionset",
        "QuestionSetBelonging": "questionsetbelonging",
        "Job": "job",
        "Jobneed": "jobneed",
        "JobneedDetails": "jobneeddetails",
        "Attachment": "attachment",
        "DeviceEventlog": "deviceeventlog",
        "AssetLog": "assetlog",
    },
    "reminder": {"Reminder": "reminder"},
    "y_helpdesk": {"Ticket": "ticket", "EscalationMatrix": "escalationmatrix"},
    "work_order_management": {
        "Wom": "wom",
        "WomDetails": "womdetails",
        "Vendor": "vendor",
        "Approver": "approver",
    },
    "attendance": {"PeopleEventlog": "peopleeventlog", "Tracking": "tracking"},
    "reports": {"ScheduleReport": "schedule_report", "ReportHistory": "report_history", "GeneratePDF": "generatepdf"},
    "tenants": {"Tenant": "tenants_tenant"},
}
LABELS = {model: f"{label}.{model}" for label, tables in OF_LABEL.items() for model in tables}
