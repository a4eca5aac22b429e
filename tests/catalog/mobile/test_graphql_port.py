"""What a document may cost, and which library runs it."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import pytest

from task_catalog.checks import check_task_catalog
from task_catalog.mobile.context import Context
from task_catalog.ports import graphql
from tests.catalog.mobile.device import at
from youtility_tasks import BadInput, NotReady, errors

GET = "getTickets { nrows }"


@pytest.fixture
def ask(acme, either_library):
    """Run a document for acme."""

    def run(document: str, *, kind: Any = "query", **variables: Any) -> dict[str, Any]:
        return graphql.run(document, variables, Context(acme.id, at(12)), kind=kind)

    return run


def test_a_query_is_answered_by_its_own_names(ask):
    assert ask("{ " + GET + " mine: getTickets { records } }") == {
        "getTickets": {"nrows": 0},
        "mine": {"records": "[]"},
    }


def test_fragments_and_variables_work(ask):
    document = "query Q($m: String) { getTickets(mdtz: $m) { ...F } } fragment F on Selection { nrows msg }"

    assert ask(document, m="2025-03-03 00:00:00") == {"getTickets": {"nrows": 0, "msg": "0 rows"}}


@pytest.mark.parametrize("introspection", ["__schema { types { name } }", '__type(name: "Output") { name }'])
def test_the_schema_is_not_told_unless_the_settings_say_so(ask, settings, introspection):
    for document in ("{ X }", "{ ...F } fragment F on Query { X }", "{ ... on Query { X } }"):
        with pytest.raises(BadInput, match="the schema is not told"):
            ask(document.replace("X", introspection))

    settings.TASK_CATALOG = {**settings.TASK_CATALOG, "graphql_introspection": True}

    assert ask(f"{{ {introspection} }}")


def test_names_of_the_schema_are_not_suggested_unless_the_settings_say_so(ask, settings):
    with pytest.raises(BadInput) as caught:
        ask("{ getTicket { nrows } }")
    assert "getTickets" not in str(caught.value)
    settings.TASK_CATALOG = {**settings.TASK_CATALOG, "graphql_introspection": True}

    with pytest.raises(BadInput, match="Did you mean"):
        ask("{ getTicket { nrows } }")


def bomb(levels: int) -> str:
    """Fragments each of which spreads the next one ten times: ten to the power of `levels` fields."""
    parts = [f"fragment F{n} on Selection {{ {' '.join([f'...F{n + 1}'] * 10)} }}" for n in range(levels)]
    return "{ getTickets { ...F0 } } " + " ".join(parts) + f" fragment F{levels} on Selection {{ nrows }}"


@pytest.mark.parametrize(
    ("document", "words"),
    [
        ("{ " + "a { " * 9 + "b" + " }" * 10, "levels of fields"),
        ("{ " + " ".join(f"a{n}: {GET}" for n in range(21)) + " }", "21 aliases"),
        ("{ getTickets { " + "nrows " * 501 + "} }", "502 fields"),
        ("{ getTickets { nrows } }" + " " * 65_536, "characters"),
        (bomb(30), "fields; right are 500"),
        ("{ ...A } fragment A on Query { ...B } fragment B on Query { ...A }", "spreads itself"),
        ("{ ...A }", "does not define"),
        ("{ " + "a { " * 16_000 + "b" + " }" * 16_001, "characters"),
        ("{ " + "a{" * 9_000 + "b" + "}" * 9_001, "too deeply|levels of fields"),
        ("{ a", "no GraphQL"),
        ("", "no GraphQL"),
        ("fragment A on Query { getTickets { nrows } }", "0 operations"),
        ("subscription { a }", "is a subscription; right is a query"),
        ("mutation { a }", "is a mutation; right is a query"),
        ("{ nothing }", "does not fit the schema"),
    ],
)
def test_a_document_that_costs_too_much_or_makes_no_sense_is_refused(ask, document, words):
    with pytest.raises(BadInput, match=words):
        ask(document)


def test_variables_that_do_not_fit_are_refused(ask):
    with pytest.raises(BadInput, match="does not fit the schema"):
        ask("query Q($b: Int) { getTickets(buid: $b) { nrows } }", b="twelve")


@pytest.mark.parametrize("error", [BadInput("bad"), NotReady("soon"), ZeroDivisionError("bug")])
def test_what_a_resolver_raises_leaves_as_it_is(ask, monkeypatch, error):
    from task_catalog.mobile import downloads

    def raises(*args: Any, **kwargs: Any) -> None:
        raise error

    monkeypatch.setattr(downloads, "select", raises)

    with pytest.raises(type(error)) as caught:
        ask("{ " + GET + " }")

    assert caught.value is error


def test_of_two_failures_the_one_that_another_attempt_may_cure_goes_first():
    from graphql import GraphQLError

    class Schema:
        def execute(self, document: str, **options: Any) -> Any:
            raised = [GraphQLError("a", original_error=error) for error in (BadInput("bad"), NotReady("soon"))]
            return SimpleNamespace(errors=raised, data=None)

    with pytest.raises(NotReady):
        graphql.GrapheneExecutor(Schema()).execute("{ a b }", {}, None)


def test_a_record_is_in_no_log(ask, caplog):
    with pytest.raises(BadInput):
        ask(
            "mutation($r: [String!]!) { insertRecord(records: $r) { rc } }",
            kind="mutation",
            r=['{"tablename": "x", "s": "secret"}'],
        )

    assert "secret" not in caplog.text


def test_both_schemas_have_the_same_fields_and_arguments():
    from graphql import print_schema

    from task_catalog.mobile import graphene_schema, strawberry_schema

    def signatures(schema: Any) -> dict[str, set[tuple[str, str, str]]]:
        return {
            kind.name: {
                (name, str(field.type), ", ".join(sorted(f"{arg}: {value.type}" for arg, value in field.args.items())))
                for name, field in kind.fields.items()
            }
            for kind in (
                schema.query_type,
                schema.mutation_type,
                schema.type_map["Output"],
                schema.type_map["Selection"],
            )
        }

    strawberry = strawberry_schema.schema._schema
    graphene = graphene_schema.schema.graphql_schema
    assert signatures(strawberry) == signatures(graphene), print_schema(graphene)
    assert {
        "insertRecord",
        "updateTaskTour",
        "uploadReport",
        "adhocRecord",
        "uploadAttachment",
        "insertJson",
        "syncUpload",
    } == set(strawberry.mutation_type.fields)


@pytest.mark.parametrize(("executor", "library"), [("Strawberry", "strawberry"), ("Graphene", "graphene")])
def test_a_missing_library_is_named_with_the_extra_that_brings_it(settings, monkeypatch, executor, library):
    settings.TASK_CATALOG = {"graphql_executor": f"task_catalog.ports.graphql.{executor}Executor"}
    graphql._executor.cache_clear()
    monkeypatch.setattr("task_catalog.extras.is_installed", lambda package: package != library)

    with pytest.raises(errors.ConfigurationError, match=r"pip install 'youtility-tasks\[graphql\]'"):
        graphql.configured()
    found = {each.id: each for each in check_task_catalog()}
    assert f"{library} is not installed: pip install 'youtility-tasks[graphql]'" in found["task_catalog.W001"].msg


@pytest.mark.parametrize(
    ("setting", "value", "words"),
    [
        ("graphql_executor", "task_catalog.ports.graphql.Nobody", "cannot be imported"),
        ("graphql_schema", "task_catalog.mobile.nowhere.schema", "cannot be imported"),
        ("graphql_max_depth", 0, "whole number from 1"),
    ],
)
def test_a_setting_that_leads_nowhere_is_found_by_the_check(settings, setting, value, words):
    settings.TASK_CATALOG = {setting: value}

    assert [words in each.msg for each in check_task_catalog()] == [True]


def test_a_schema_that_leads_nowhere_is_an_error_at_run_time_too(settings):
    settings.TASK_CATALOG = {"graphql_schema": "task_catalog.mobile.nowhere.schema"}

    with pytest.raises(errors.ConfigurationError, match="cannot be imported"):
        graphql.configured()


def test_downloads_read_and_do_not_write(acme, globex, site, device, other_device, either_library, monkeypatch):
    from task_catalog.mobile import downloads

    device.send("insertRecord", device.ticket())
    other_device.send("insertRecord", other_device.ticket())
    result = device.ask("query Q($b: Int) { getTickets(buid: $b) { nrows ncols records } }", b=site.pk)

    assert result.keys() == {"status", "warnings", "data"}
    (row,) = json.loads(result["data"]["getTickets"]["records"])
    assert (row["ticketno"], row["client_id"]) == ("ACME-1#1", acme.id)

    def writes(context: Context, name: str, **kwargs: Any) -> Any:
        acme.word("WRITTEN")

    monkeypatch.setattr(downloads, "select", writes)
    with pytest.raises(Exception, match="read-only transaction"):
        device.ask("{ getTickets { nrows } }")


def test_downloads_tell_a_clients_rows_and_no_more(acme, globex, site, device, other_device):
    work, theirs = acme.work(site, people=device.person), globex.work(other_device.site)
    asked = device.asked(work)
    other_device.asked(theirs)
    lists = {
        "getPeopleModifiedAfter": 3,
        "getJobneedModifiedAfter": 1,
        "getJndModifiedAfter": len(asked),
        "getAssetsModifiedAfter": 0,
        "getTickets": 0,
    }
    for name, count in lists.items():
        (selection,) = device.ask(f"{{ {name} {{ nrows records }} }}")["data"].values()
        assert selection["nrows"] == count, name
    (people,) = device.ask("{ getPeopleModifiedAfter { records } }")["data"].values()
    assert not {"email", "mobno", "peopleimg", "people_extras"} & json.loads(people["records"])[0].keys()
    mine = device.ask("query Q($p: Int) { getJobneedModifiedAfter(peopleid: $p) { nrows } }", p=device.person.pk)
    nobodys = device.ask("{ getJobneedModifiedAfter(peopleid: 999999) { nrows } }")
    later = device.ask('{ getJobneedModifiedAfter(mdtz: "2025-03-04 00:00:00") { nrows } }')
    of_visit = device.ask(f"{{ getJndModifiedAfter(jobneedids: [{theirs.pk}]) {{ nrows }} }}")
    found = [next(iter(each["data"].values()))["nrows"] for each in (mine, nobodys, later, of_visit)]
    assert found == [1, 0, 0, 0]


@pytest.mark.parametrize(
    ("payload", "words"),
    [
        ("x", "JSON text"),
        ("{}", "'query'"),
        (
            '{"query": "mutation { insertJson(jsondata: [], tablename: \\"tracking\\") { rc } }"}',
            "is a mutation; right is a query",
        ),
        ('{"query": "{ getTickets(buid: 1) { nrows } }"}', "no site of this client"),
        ('{"query": "{ getTickets(mdtz: \\"soon\\") { nrows } }"}', "no instant"),
    ],
)
def test_a_download_that_cannot_be_meant_is_refused(acme, device, payload, words):
    from task_catalog.maintenance.queries import process_graphql_download_async
    from youtility_tasks import tenant

    with tenant(acme.id), pytest.raises(BadInput, match=words):
        process_graphql_download_async.func(payload=payload)


def test_an_answer_that_nobody_could_store_is_refused(acme, device, settings):
    settings.TASK_CATALOG = {**settings.TASK_CATALOG, "download_max_bytes": 100}
    with pytest.raises(BadInput, match=r"too large: .*download_max_bytes"):
        device.ask("{ getPeopleModifiedAfter { records } }")
    settings.TASK_CATALOG = {**settings.TASK_CATALOG, "download_max_bytes": 5_000_000}
    settings.YOUTILITY_TASKS = {**settings.YOUTILITY_TASKS, "max_result_bytes": 100}

    with pytest.raises(BadInput, match=r"too large: .*max_result_bytes"):
        device.ask("{ getPeopleModifiedAfter { records } }")


def test_without_the_check_either_library_would_answer_all_of_that(ask, monkeypatch):
    monkeypatch.setattr(graphql, "_check", lambda document, kind: None)

    aliases = "{ " + " ".join(f"a{n}: {GET}" for n in range(21)) + " }"

    assert len(ask(aliases)) == 21
    assert ask("{ __schema { queryType { name } } }")
