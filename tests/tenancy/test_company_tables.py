"""The company's own tables under SQL: what is one client's is nobody else's, also what points at the row that stands for none."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import psycopg
import pytest
from psycopg import sql

from task_catalog.facility.clients import create_client, create_site, ensure_levels
from task_catalog.facility.models import Bt
from task_catalog.facility.sentinels import ensure_sentinels
from tests.tenancy.ground import Connection, House
from youtility_tasks.tenancy import plan
from youtility_tasks.tenancy.house import TABLES

pytestmark = pytest.mark.usefixtures("django_db_setup")

WORD = "Kanarienvogel"


@pytest.fixture
def company(house: House, django_db_blocker: Any) -> tuple[House, int, int]:
    """Two clients, a row of each in every table that is declared, and the word in whatever of the second's is text."""
    at = datetime(2025, 1, 1, tzinfo=UTC)
    with django_db_blocker.unblock(), house.settled():
        ensure_sentinels()
        ensure_levels(at=at)
        a, b = (create_client(name, name.upper(), at=at).pk for name in ("Eins", WORD))
        create_site(Bt.objects.get(pk=a), "Gate", "A-1", at=at)
        create_site(Bt.objects.get(pk=b), WORD, "B-1", at=at)
    with psycopg.connect(house.url, autocommit=True) as eye:
        eye.execute(
            "SET session_replication_role = replica"
        )  # no references, no triggers: rows are all that is asked for
        for table in declared():
            for client_id in (a, b):
                plant(eye, table, client_id)
    return house, a, b


def declared() -> list[str]:
    """Every table of the applications that has a tenant."""
    return sorted(set(plan.plan().tables) - {each.name for each in TABLES})


FILL = {
    "boolean": False, "jsonb": "{}", "integer": 0, "bigint": 0, "smallint": 0, "numeric": 0, "double precision": 0,
    "timestamp with time zone": "2025-01-01 UTC", "date": "2025-01-01", "time without time zone": "00:00", "interval": "1 hour",
    "bytea": b"", "ARRAY": "{}", "point": "(1,1)",
}  # fmt: skip


def plant(eye: Connection, table: str, client_id: int) -> None:
    """A row of this client's, with an id that tells the client where it points to another by id."""
    columns = eye.execute(
        "SELECT column_name, data_type, is_nullable = 'YES', column_default IS NOT NULL OR is_identity = 'YES', character_maximum_length"
        " FROM information_schema.columns WHERE table_schema = 'public' AND table_name = %s AND is_generated = 'NEVER'",
        [table],
    ).fetchall()
    row: dict[str, Any] = {}
    for name, kind, is_nullable, has_default, longest in columns:
        if name == "id":
            row[name] = 900_000 + client_id
        elif name == "client_id" or (table == "bt" and name == "parent_id") or name == "bu_id":
            row[name] = client_id
        elif name in {"people_id", "job_id", "jobneed_id", "wom_id", "asset_id"}:
            row[name] = 900_000 + client_id
        elif kind == "uuid":
            row[name] = uuid_of(client_id)
        elif kind in {"character varying", "text"}:
            row[name] = f"{WORD if is_b(eye, client_id) else 'x'}{client_id}"[:longest]
        elif not is_nullable and not has_default:
            row[name] = FILL[kind]
    names = sql.SQL(", ").join(map(sql.Identifier, row))
    values = sql.SQL(", ").join([sql.Placeholder()] * len(row))
    eye.execute(
        sql.SQL("INSERT INTO {} ({}) VALUES ({})").format(sql.Identifier(table), names, values), list(row.values())
    )


def key_of(house: House, table: str, client_id: int) -> str:
    """The condition for the row of a client that was planted there."""
    ((name, is_uuid),) = house.rows(
        "SELECT a.attname, a.atttypid = 'uuid'::regtype FROM pg_index x JOIN pg_attribute a ON a.attrelid = x.indrelid AND a.attnum = x.indkey[0]"
        " WHERE x.indisprimary AND x.indrelid = %s::regclass",
        table,
    )
    return f"t.{name} = '{uuid_of(client_id)}'" if is_uuid else f"t.{name} = {900_000 + client_id}"


def uuid_of(client_id: int) -> str:
    return f"00000000-0000-0000-0000-{client_id:012d}"


def is_b(eye: Connection, client_id: int) -> bool:
    return eye.execute("SELECT buname FROM bt WHERE id = %s", [client_id]).fetchone() == (WORD,)


def of_b(house: House) -> list[Any]:
    return [
        house.rows(
            f"SELECT md5(coalesce(string_agg(t::text, '|' ORDER BY t::text), '')) FROM {table} t WHERE t::text LIKE '%%{WORD}%%'"
        )
        for table in declared()
    ]


def nothing_of_b_is_met(company: tuple[House, int, int], part: str) -> None:
    house, a, b = company
    before = of_b(house)
    for table in declared():
        theirs, mine = (f"{table} t WHERE {key_of(house, table, client_id)}" for client_id in (b, a))
        assert house.rows(f"SELECT count(*) FROM {theirs}") == [(1,)], (
            f"{table} has no row of B: nothing would be tried"
        )
        with house.connect(part, a) as session:
            texts = [text for (text,) in session.execute(f"SELECT t::text FROM {table} t").fetchall()]
            assert texts and not [text for text in texts if WORD in text], table
            assert session.execute(f"SELECT 1 FROM {theirs}").fetchall() == [], table
            assert session.execute(f"SELECT 1 FROM {theirs} FOR UPDATE").fetchall() == [], table
            assert session.execute(f"DELETE FROM {theirs}").rowcount == 0, table
            assert session.execute(f"SELECT 1 FROM {mine} FOR UPDATE").rowcount == 1, (
                f"{table}: A cannot change its own"
            )
    assert of_b(house) == before


@pytest.mark.parametrize("part", ["web", "task"])
def test_no_table_of_the_companys_shows_or_gives_away_a_row_of_another_client(company: Any, part: str) -> None:
    assert len(declared()) >= 30
    nothing_of_b_is_met(company, part)


POINTING = {"jobneeddetails": "jobneed_id", "womdetails": "wom_id", "reminder": "job_id", "tracking": "people_id", "assetlog": "asset_id",
            "attachment": "bu_id"}  # fmt: skip
"""Tables that have a client through a row which they point at -> by which column."""


def what_points_at_none_is_nobodys(company: tuple[House, int, int]) -> None:
    """The row that stands for none is everybody's to read; what a client lets point at it must not be."""
    house, a, b = company
    for table, column in POINTING.items():
        with psycopg.connect(house.url, autocommit=True) as eye:
            eye.execute("SET session_replication_role = replica")
            eye.execute(f"UPDATE {table} SET {column} = 1 WHERE id = {900_000 + b}")
        for part in ("web", "task"):
            with house.connect(part, a) as session:
                assert session.execute(f"SELECT 1 FROM {table} WHERE {column} = 1").fetchall() == [], table
                assert session.execute(f"DELETE FROM {table} WHERE {column} = 1").rowcount == 0, table
                with pytest.raises(psycopg.errors.InsufficientPrivilege):
                    session.execute(f"UPDATE {table} SET {column} = 1 WHERE id = {900_000 + a}")
                session.rollback()


def test_what_points_at_the_row_that_stands_for_none_is_nobodys(company: Any) -> None:
    what_points_at_none_is_nobodys(company)


@pytest.mark.parametrize("table", POINTING)
def test_a_policy_that_is_content_with_a_row_that_can_be_read_shows_it(company: Any, table: str) -> None:
    """As they were: whatever points at a row that one may read was one's own."""
    to = {"bu_id": "bt"}.get(POINTING[table], POINTING[table].removesuffix("_id"))
    company[0].rows(
        f"ALTER POLICY yt_own ON {table} USING (EXISTS (SELECT 1 FROM {to} p WHERE p.id = {table}.{POINTING[table]}))"
    )
    with pytest.raises(AssertionError):
        what_points_at_none_is_nobodys(company)


@pytest.mark.parametrize("table", ["bt", "people", "ticket", "tracking", "task_catalog_bloblocation"])
def test_a_table_whose_policy_lets_all_through_is_caught(company: Any, table: str) -> None:
    company[0].rows(f"ALTER POLICY yt_own ON {table} USING (true)")
    with pytest.raises(AssertionError):
        nothing_of_b_is_met(company, "web")
