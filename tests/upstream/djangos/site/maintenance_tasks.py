"""A backfill as django-maintenance-tasks has it; in two batches."""

from django.contrib.auth.models import Group
from maintenance_tasks.task import MaintenanceTask


class Shout(MaintenanceTask):
    batch_size = 3

    def collection(self):
        return Group.objects.filter(name__startswith="team")

    def process(self, group):
        group.name = group.name.upper()
        group.save()
