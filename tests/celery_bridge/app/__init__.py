"""A small Celery application of a Django site, as it stands before the move: its tasks write what they did into a diary."""
