"""A module that only `PROCRASTINATE_IMPORT_PATHS` names."""

from procrastinate.contrib.django import app


@app.task(name="their_imported", queue="maintenance")
def tells() -> str:
    return "imported"
