"""Opens every page of the house's admin in django-unfold, and prints what is wrong with it as JSON."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import django

django.setup()

from django.contrib import admin  # noqa: E402
from django.contrib.auth.models import User  # noqa: E402
from django.test import Client  # noqa: E402
from django.test.utils import setup_test_environment  # noqa: E402

from tests.admin.test_admin_lists import BASE, MODELS, a_day, act  # noqa: E402
from youtility_tasks import roster  # noqa: E402
from youtility_tasks.models import TaskWorker  # noqa: E402

setup_test_environment()
roster.add(7, "Acme"), roster.add(8, "Beta")
a_day(2)
ann = Client(raise_request_exception=False)
ann.force_login(User.objects.create_superuser("ann"))
paths = ["/admin/", *(f"{BASE}/{model}/" for model in MODELS)]
paths += [f"{BASE}/{model}/add/" for model in ("queuecontrol", "scheduledtask", "tenant", "redrive", "apitoken")]
for model in (each for each in admin.site._registry if each._meta.app_label == "youtility_tasks"):
    row = model._default_manager.first()
    if row is not None:
        paths.append(f"{BASE}/{model._meta.model_name}/{row.pk}/change/")
answers = {path: ann.get(path) for path in paths}
if len(sys.argv) > 1:  # to be looked at
    for path, answer in answers.items():
        (Path(sys.argv[1]) / f"{path.strip('/').replace('/', '-')}.html").write_bytes(answer.content)
wrong = [path for path, answer in answers.items() if answer.status_code != 200 or b"unfold" not in answer.content]
jobs = answers[f"{BASE}/job/"].content.decode()
told = act(ann, "taskworker", "quiet", 1, "deploy")
sys.stdout.write(
    json.dumps(
        {
            "pages": len(paths),
            "wrong": wrong,
            "asks_why": 'name="because"' in jobs,
            "told": told,
            "order": TaskWorker.objects.get(pk=1).told,
        }
    )
)
