"""procrastinate as its documentation sets it up in a Django project."""
