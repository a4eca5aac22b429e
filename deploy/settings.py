"""Django settings of the image: the bundled project, with roles, secrets and addresses from the environment.

An example to copy: name your own module in DJANGO_SETTINGS_MODULE and keep the rest of this folder.
"""

import os
from typing import Any

from youtility_tasks.standalone import database
from youtility_tasks.standalone import settings as bundled
from youtility_tasks.standalone.errors import WrongEnvironment
from youtility_tasks.standalone.settings import *  # noqa: F403


def _needed(name: str, right: str) -> str:
    given = os.environ.get(name, "")
    if not given:
        raise WrongEnvironment(name, given, right)
    return given


DEBUG = False
SECRET_KEY = _needed("SECRET_KEY", "50 random characters, the same in every process")
ALLOWED_HOSTS = ["localhost", *os.environ.get("ALLOWED_HOSTS", "").split()]
CSRF_TRUSTED_ORIGINS = [f"https://{host}" for host in ALLOWED_HOSTS if host != "localhost"]
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = True
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")  # the proxy in front must set it, or take it away
SECURE_HSTS_SECONDS = 3_600
# W005, W021: whether all other names of the domain speak TLS is not ours to say. W008: the proxy sends people to https.
SILENCED_SYSTEM_CHECKS = ["security.W005", "security.W008", "security.W021"]

# Without a password: only the set-up has one (PGPASSWORD). Every other process connects as its own part.
DATABASES = {"default": database.from_url(_needed("DATABASE_URL", "postgresql://owner@host:5432/youtility"))}
if os.environ.get("DIRECT_DATABASE_URL"):  # DATABASE_URL then leads through a pooler in transaction mode
    DATABASES["default"]["DISABLE_SERVER_SIDE_CURSORS"] = True

LOGGING = {**bundled.LOGGING, "formatters": {"line": {"()": "youtility_tasks.logs.JsonLines"}}}
STATIC_ROOT = os.environ.get("STATIC_ROOT", "/srv/static")
MIDDLEWARE = [
    bundled.MIDDLEWARE[0],
    "whitenoise.middleware.WhiteNoiseMiddleware",
    *bundled.MIDDLEWARE[1:],
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]

_OWN: dict[str, Any] = {
    "allow_unsafe_database": False,
    "direct_database": os.environ.get("DIRECT_DATABASE_URL") or None,
    "roles": {
        part: {**login, "PASSWORD": _needed(f"{part.upper()}_PASSWORD", f"the password of the user {login['USER']}")}
        for part, login in database.roles().items()
    },
    "tenant_key": _needed("TENANT_KEY", "at least 32 random characters, the same in every process"),
    "secret_keys": [("1", _needed("SEALING_KEY", "32 random bytes in base64, the same in every process"))],
    # Spans go where OTEL_EXPORTER_OTLP_ENDPOINT says; without it there are none, and they cost nothing.
    "tracing": "youtility_tasks.tracing.setup.from_environment"
    if os.environ.get("OTEL_EXPORTER_OTLP_ENDPOINT")
    else None,
    "metrics_token": _needed("METRICS_TOKEN", "at least 16 characters, as Prometheus sends them"),
}
YOUTILITY_TASKS = {**bundled.YOUTILITY_TASKS, **_OWN}
TASK_CATALOG = {key: value for key, value in bundled.TASK_CATALOG.items() if key != "face_verifier"}
