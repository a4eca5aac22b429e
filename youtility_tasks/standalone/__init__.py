"""A small Django project and the embedded PostgreSQL, so that nothing has to be installed or started by hand."""
