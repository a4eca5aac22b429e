import datetime

from django.db import migrations, models
from django.db.models import Q

from ._sql import frozen

_INSTANTS = (
    datetime.datetime(1, 1, 3, tzinfo=datetime.UTC),
    datetime.datetime(9998, 12, 31, tzinfo=datetime.UTC),
)


class Migration(migrations.Migration):
    """What one tenant sets for its own jobs can no longer keep the claims of all others from working.

    Lock: a short exclusive lock on queuecontrol, a small table; claims of queues with controls wait for it. Workers may run; then
    run `setup_task_queue` if the setting `roles` is used. Reverse: drops the bounds; values that were brought into them stay.
    """

    dependencies = [("youtility_tasks", "0015_tenancy")]
    operations = [
        migrations.RunSQL(frozen("0016_bounds.sql"), frozen("0016_bounds.reverse.sql")),
        migrations.AddConstraint(
            "queuecontrol",
            models.CheckConstraint(
                name="yt_control_numbers_in_bounds",
                condition=Q(
                    Q(rate_per_s=None) | Q(rate_per_s__range=(1e-6, 1e6)),
                    burst__lte=1e6,
                    tokens__range=(-1e6, 1e6),
                ),
            ),
        ),
        migrations.AddConstraint(
            "queuecontrol",
            models.CheckConstraint(
                name="yt_control_instants_in_bounds",
                condition=Q(
                    Q(paused_until=None) | Q(paused_until__range=_INSTANTS),
                    Q(paused_at=None) | Q(paused_at__range=_INSTANTS),
                    changed_at__range=_INSTANTS,
                    refilled_at__range=_INSTANTS,
                ),
            ),
        ),
    ]
