"""Django's own tests of task backends on ours, and ours on each Django that we support: `make django`."""
