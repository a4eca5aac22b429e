"""Makes dated occurrences of plans: read a page of plans, draft in memory, write each plan in its own transaction."""
