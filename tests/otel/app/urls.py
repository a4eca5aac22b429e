"""Pages that enqueue."""

from __future__ import annotations

import logging

from django.db import transaction
from django.http import HttpRequest, JsonResponse
from django.urls import path

from youtility_tasks import SUCCESS, Workflow, enqueue_many, tenant

from . import tasks

logger = logging.getLogger("people")


def welcome(request: HttpRequest) -> JsonResponse:
    with transaction.atomic(), tenant(7):
        made = tasks.welcomes.enqueue(person=request.headers["X-Person"])
        logger.warning("a page enqueues")
    return JsonResponse({"job": int(made.id)})


def crowd(request: HttpRequest) -> JsonResponse:
    count = int(request.GET["count"])
    with transaction.atomic(), tenant(7):
        made = enqueue_many(tasks.counts_letters, ({"person": request.headers["X-Person"]} for _ in range(count)))
    return JsonResponse({"jobs": [int(each.id) for each in made]})


def flow(request: HttpRequest) -> JsonResponse:
    run = Workflow("two steps")
    first = run.step(tasks.counts_letters, name="first", person=request.headers["X-Person"])
    run.step(tasks.counts_letters, name="second", after={first: SUCCESS}, person=request.headers["X-Person"])
    with transaction.atomic(), tenant(7):
        return JsonResponse({"workflow": run.start().id})


urlpatterns = [path("welcome/", welcome), path("crowd/", crowd), path("flow/", flow)]
