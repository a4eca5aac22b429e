from django.apps import AppConfig


class SurfaceApp(AppConfig):
    name = "tests.celery_bridge.surface.app"
    label = "surface"
