from django.apps import AppConfig


class AcceptanceApp(AppConfig):
    name = "tests.acceptance.app"
    label = "acceptance"
