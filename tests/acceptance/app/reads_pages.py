"""A program that logs into the admin and reads every page of it: lists, searches, each row's page and its history; prints them."""

from __future__ import annotations

import sys

import django

if __name__ == "__main__":
    django.setup()
    from django.contrib import admin
    from django.contrib.auth.models import User
    from django.test import Client

    chief, _ = User.objects.get_or_create(username="chief", is_staff=True, is_superuser=True)
    browser = Client(SERVER_NAME="localhost")
    browser.force_login(chief)
    pages = ["/admin/", "/admin/tenant/"]
    for model in admin.site._registry:
        base = f"/admin/{model._meta.app_label}/{model._meta.model_name}/"
        pages += [base, f"{base}?q=1", f"{base}?o=1"]
        for key in model._default_manager.order_by("-pk").values_list("pk", flat=True)[:200]:
            pages += [f"{base}{key}/change/", f"{base}{key}/history/"]
    for page in pages:
        answer = browser.get(page)
        if answer.status_code not in (200, 302):
            sys.exit(f"{page} answered {answer.status_code}")
        sys.stdout.write(f"{page}: {answer.content.decode()}\n")
