"""A program that gives `manage_task_queue` each of the lists of words in stdin, one after the other; prints what each said, in a list."""

from __future__ import annotations

import contextlib
import io
import json
import sys

import django

if __name__ == "__main__":
    django.setup()
    from django.core.management import execute_from_command_line

    told = []
    for words in json.load(sys.stdin):
        with contextlib.redirect_stdout(io.StringIO()) as said, contextlib.suppress(SystemExit):
            execute_from_command_line(["manage.py", "manage_task_queue", *words])
        told.append(said.getvalue())
    sys.stdout.write(json.dumps(told, ensure_ascii=False))
