"""Refuse at once to delete an occurrence that still has reminders.

Django's own foreign keys are checked at commit; the application this stands for refuses in the statement itself, and a
sweep that deletes in the wrong order has to find out here and not there.

Lock: SHARE ROW EXCLUSIVE on reminder and jobneed while existing rows are checked. Workers may run. Reverse: drops the
constraint, no data is touched.
"""

from __future__ import annotations

from django.db import migrations


class Migration(migrations.Migration):
    """One foreign key that `makemigrations` cannot write: ON DELETE RESTRICT, checked by the statement."""

    dependencies = [("facility", "0002_jobneed_planned_once")]

    operations = [
        migrations.RunSQL(
            sql="ALTER TABLE reminder ADD CONSTRAINT reminder_jobneed_id_restrict"
            " FOREIGN KEY (jobneed_id) REFERENCES jobneed (id) ON DELETE RESTRICT",
            reverse_sql="ALTER TABLE reminder DROP CONSTRAINT reminder_jobneed_id_restrict",
        )
    ]
