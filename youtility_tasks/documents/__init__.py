"""How things look as JSON, one file a subject: the same in `manage_task_queue ... --json` and in the HTTP API.

What the caller may not read (deferred columns, for an operator) is None, and is never asked of the database here.
"""
