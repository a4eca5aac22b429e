"""procrastinate's own tests on our schema, with its worker or with ours: `make upstream`."""
