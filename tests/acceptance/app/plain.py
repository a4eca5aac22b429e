"""A task as a Django package declares it that has never heard of us."""

import django

if django.VERSION < (6, 0):
    from django_tasks import task
else:
    from django.tasks import task


@task(priority=50)
def joins(first: str, *more: str, end: str = "") -> str:
    return "-".join([first, *more]) + end


@task()
async def joins_async(first: str, second: str) -> str:
    return f"{first}-{second}"
