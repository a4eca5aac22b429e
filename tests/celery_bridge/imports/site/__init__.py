"""A site whose tasks are Celery's and ours under one name, so that either side can run them."""
