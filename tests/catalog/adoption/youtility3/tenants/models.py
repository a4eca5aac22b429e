"""Its models, on the tables that catalog.md 6.1 names."""

from tests.catalog.adoption.youtility3 import models_of

globals().update(models_of("tenants", __name__))
