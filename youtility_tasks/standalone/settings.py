"""The Django settings of the bundled project: for the demonstration, for tests, and to read before writing your own."""

import os

import django

from youtility_tasks import queues

from . import database, environment, home

DEBUG = os.environ.get("DJANGO_DEBUG") == "1"
SECRET_KEY = home.secret_key()
ALLOWED_HOSTS = ["localhost", "127.0.0.1", "[::1]"]

DATABASES = {"default": database.django_database()}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
USE_TZ = True
TIME_ZONE = "UTC"

INSTALLED_APPS = [
    "youtility_tasks.standalone",  # before the admin: its pages name the tenant
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.postgres",
    "django.contrib.staticfiles",
    *(["django_tasks"] if django.VERSION < (6, 0) else []),
    "procrastinate.contrib.django",
    "youtility_tasks",
    "task_catalog",
    "task_catalog.facility",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "youtility_tasks.middleware.TenantMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
]
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]
ROOT_URLCONF = "youtility_tasks.standalone.urls"
WSGI_APPLICATION = "youtility_tasks.standalone.wsgi.application"  # also of `runserver`: it begins tracing before it makes the application
STATIC_URL = "static/"

TASKS = {
    "default": {
        "BACKEND": "youtility_tasks.backends.ProcrastinateBackend",
        "QUEUES": ["default", queues.HIGH_PRIORITY, queues.EMAIL, queues.REPORTS, queues.MAINTENANCE],
    }
}
YOUTILITY_TASKS = {
    "retry_delay_factor": environment.number("YOUTILITY_RETRY_DELAY_FACTOR", 1),
    # With a server of your own: YOUTILITY_ALLOW_UNSAFE_DATABASE=0.
    "allow_unsafe_database": os.environ.get("YOUTILITY_ALLOW_UNSAFE_DATABASE", "1") == "1",
    # On the embedded server each part connects as a user of its own, which it trusts by its closed socket. With a server of
    # your own: YOUTILITY_ROLES=1, and passwords in settings of your own.
    "roles": database.roles() if os.environ.get("YOUTILITY_ROLES", "0") == "1" else None,
    "role_prefix": database.role_prefix(),
    "membership_resolver": "youtility_tasks.standalone.people.memberships_of",
}
TASK_CATALOG: dict[str, object] = {
    "admin_emails": os.environ.get("YOUTILITY_ADMIN_EMAILS", "").split(),
    # It looks at no faces: for the demonstration only.
    "face_verifier": "task_catalog.ports.faces.labelled.LabelledVerifier",
    "ondemand_reports_folder": str(home.folder() / "reports" / "on_demand"),
    "scheduled_reports_folder": str(home.folder() / "reports" / "scheduled"),
}
if os.environ.get("YOUTILITY_REPORT_INLINE_BYTES"):
    TASK_CATALOG["report_inline_bytes"] = int(environment.number("YOUTILITY_REPORT_INLINE_BYTES", 1_000_000))
if os.environ.get("YOUTILITY_CLOCK"):
    TASK_CATALOG["clock"] = os.environ["YOUTILITY_CLOCK"]

_MAIL_HOST, _MAIL_PORT, _MAIL_TIMEOUT_S = (
    os.environ.get("EMAIL_HOST", "localhost"),
    environment.port("EMAIL_PORT", 25),
    20,
)
if django.VERSION >= (6, 1):
    MAILERS = {
        "default": {
            "BACKEND": "django.core.mail.backends.smtp.EmailBackend",
            "OPTIONS": {"host": _MAIL_HOST, "port": _MAIL_PORT, "timeout": _MAIL_TIMEOUT_S},
        }
    }
else:
    EMAIL_HOST, EMAIL_PORT, EMAIL_TIMEOUT = _MAIL_HOST, _MAIL_PORT, _MAIL_TIMEOUT_S

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "%(asctime)s %(levelname)-7s %(name)s %(message)s"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["stderr"], "level": environment.log_level("LOG_LEVEL", "INFO")},
    # These log arguments, or a line for every start and end that our own line already tells; Django's line of a failed
    # attempt is an ERROR with the traceback, also for one that will be retried. `manage_task_queue show` has it.
    "loggers": {
        "procrastinate": {"level": "WARNING"},
        "django_tasks": {"level": "CRITICAL"},
        "django.tasks": {"level": "CRITICAL"},
    },
}
