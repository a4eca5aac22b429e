"""Reads the frozen SQL of a migration."""

import re
from importlib import resources

from django.db import migrations


def frozen(name: str) -> str:
    """The text of `migrations/sql/<name>`."""
    return resources.files(__package__).joinpath("sql", name).read_text(encoding="utf-8")


def as_it_was(name: str, function: str) -> str:
    """What puts a function back as `migrations/sql/<name>` made it; for the way back of a step that replaced it."""
    text = frozen(name)
    start = text.index(f"FUNCTION {function}(")
    ends = re.compile(r"^(END )?\$\$;", re.MULTILINE).search(text, start)
    if ends is None:
        raise ValueError(f"{function} has no end in {name}")
    return f"\nCREATE OR REPLACE {text[start : ends.end()]}\n"


def reworded(function: str, changes: list[tuple[str, str]]) -> str:
    """What changes a few words of a long function, each of which must stand in it once; signature and rights stay."""
    steps = "\n".join(
        f"    IF array_length(string_to_array(body, '{was}'), 1) <> 2 THEN\n"
        f"        RAISE EXCEPTION '{function} does not have once: %', '{was}';\n"
        "    END IF;\n"
        f"    body := replace(body, '{was}', '{becomes}');"
        for was, becomes in changes
    )
    return (
        f"DO $reworded$\nDECLARE\n    body text := pg_get_functiondef('{function}'::regproc);\nBEGIN\n{steps}\n"
        "    EXECUTE body;\nEND $reworded$;\n"
    )


def compiled_anew() -> str:
    """For after a change of columns: makes sessions that are there compile anew what works with rows of jobs or of runs.

    `unnest` of an array of rows is no plan that the server throws away for it: each claim of a worker would fail until it connects anew. A
    function that is put in its own place is compiled again.
    """
    return """DO $do$
DECLARE
    name text;
BEGIN
    FOR name IN SELECT p.oid::regprocedure::text FROM pg_proc p
                 WHERE p.proname LIKE 'youtility\\_tasks\\_%' AND p.prokind = 'f'
                   AND (p.prosrc ~ '\\m(procrastinate_jobs|youtility_tasks_taskworkflow)(\\[\\])?( :=|;)'
                        OR p.prorettype IN ('procrastinate_jobs'::regtype, 'youtility_tasks_taskworkflow'::regtype)
                        OR 'procrastinate_jobs[]'::regtype = ANY (p.proargtypes)) LOOP
        EXECUTE pg_get_functiondef(name::regprocedure);
    END LOOP;
END $do$;
"""


def in_every_day(name: str, what: str) -> migrations.RunPython:
    """An index of the history, built without stopping those who write: a partitioned table's own cannot be. For a step that is not atomic.

    A day that is added meanwhile gets it with the parent's definition; what a step that was cut off has left is made anew.
    """

    def build(apps: object, editor: object) -> None:
        with editor.connection.cursor() as cursor:  # type: ignore[attr-defined]
            cursor.execute(f"CREATE INDEX IF NOT EXISTS {name} ON ONLY youtility_tasks_history {what}")
            cursor.execute(_WITHOUT, [name])
            for day, own in cursor.fetchall():
                cursor.execute(f"DROP INDEX IF EXISTS {own}")
                cursor.execute(f"CREATE INDEX CONCURRENTLY {own} ON {day} {what}")
                cursor.execute(f"ALTER INDEX {name} ATTACH PARTITION {own}")

    def drop(apps: object, editor: object) -> None:
        editor.execute(f"DROP INDEX IF EXISTS {name}")  # type: ignore[attr-defined]

    return migrations.RunPython(build, drop)


_WITHOUT = """
    SELECT p.inhrelid::regclass::text, c.relname || replace(i.relname, 'youtility_tasks_history', '')
      FROM pg_class i
      JOIN pg_inherits p ON p.inhparent = 'youtility_tasks_history'::regclass
      JOIN pg_class c ON c.oid = p.inhrelid
     WHERE i.oid = %s::regclass
       AND NOT EXISTS (SELECT FROM pg_inherits a JOIN pg_index x ON x.indexrelid = a.inhrelid WHERE a.inhparent = i.oid AND x.indrelid = c.oid)
     ORDER BY 1
"""
"""The days that have not got an index yet, and what theirs is called."""
