"""For a server of WSGI applications: the bundled project's pages, or those of DJANGO_SETTINGS_MODULE."""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "youtility_tasks.standalone.settings")

from youtility_tasks import tracing

tracing.begin("web")  # before the application is made: requests get a middleware of OpenTelemetry's
application = get_wsgi_application()
