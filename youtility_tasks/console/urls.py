"""The routes of the pages, made from the tables of pages and acts."""

from __future__ import annotations

from django.urls import path, register_converter

from youtility_tasks import addresses

from . import (
    acting,
    audit,
    catalog,
    choosing,
    completing,
    control_acts,
    failures,
    job,
    job_acts,
    jobs,
    jobs_acts,
    moving,
    operations,
    overview,
    pulse,
    queues,
    saving,
    schedule_acts,
    schedules,
    signing,
    tenants,
    worker_acts,
    workers,
    workflow_acts,
    workflows,
)
from .door import view_of
from .table import PAGES
from .visit import URLS

_ROOMS = (
    overview,
    choosing,
    completing,
    jobs,
    jobs_acts,
    job,
    job_acts,
    operations,
    failures,
    queues,
    control_acts,
    schedules,
    schedule_acts,
    workflows,
    workflow_acts,
    catalog,
    workers,
    worker_acts,
    tenants,
    moving,
    audit,
)
"""Which put themselves into the tables."""


register_converter(addresses.Id, "tasks_id")
register_converter(addresses.Name, "tasks_word")

app_name = URLS
urlpatterns = [
    *(path(each.path, view_of(each), name=each.name) for each in PAGES),
    *(path(f"acts/{name}/", acting.view_of(each), name=f"act-{name}") for name, each in acting.ACTS.items()),
    path("chosen/", choosing.chosen, name="chosen"),
    path("views/save/", saving.save, name="save_view"),
    path("views/forget/", saving.forget, name="forget_view"),
    path("live/pulse/", pulse.pulse, name="pulse"),
    path("live/workflow/", workflows.workflow_states, name="workflow_states"),
    path("sign-in/", signing.sign_in, name="sign_in"),
    path("sign-out/", signing.sign_out, name="sign_out"),
]
