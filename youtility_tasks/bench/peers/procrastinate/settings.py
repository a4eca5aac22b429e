"""The Django settings of the peer."""

from ..django_peer import APPLICATIONS, database

SECRET_KEY = "bench"  # noqa: S105 - no page is served
USE_TZ = True
DATABASES = database()
INSTALLED_APPS = [*APPLICATIONS, "procrastinate.contrib.django", "peers.procrastinate"]
LOGGING = {"version": 1, "disable_existing_loggers": False, "root": {"level": "WARNING"}}
