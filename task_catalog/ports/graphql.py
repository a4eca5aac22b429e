"""Runs the GraphQL documents that devices send, by whichever library the application's schema is written with.

`TASK_CATALOG["graphql_executor"]` names the executor, `TASK_CATALOG["graphql_schema"]` the schema. What a document may
cost is looked at before either sees it, because parsing is cheap and everything after it is not.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping, Sequence
from typing import Any, Literal, Protocol

from django.utils.module_loading import import_string

from task_catalog.conf import catalog
from task_catalog.extras import missing
from youtility_tasks import BadInput, errors

_EXTRA = "graphql"
Kind = Literal["mutation", "query"]
_SUGGESTION = re.compile(r"\s*Did you mean .*$", re.DOTALL)


class GraphQLExecutor(Protocol):
    """Something that runs a document against a schema."""

    def execute(self, document: str, variables: Mapping[str, Any], context: object) -> dict[str, Any]:
        """The answer's data, by the names of the document's fields; resolvers get `context`.

        Raises BadInput for a document or variables that do not fit the schema, and what a resolver raised as it is.
        """
        ...


class StrawberryExecutor:
    """Runs documents on a `strawberry.Schema`."""

    @classmethod
    def flaw(cls) -> str | None:
        """What keeps it from working at all, for `manage.py check`."""
        return missing("strawberry", _EXTRA)

    def __init__(self, schema: Any) -> None:
        self._schema = schema

    def execute(self, document: str, variables: Mapping[str, Any], context: object) -> dict[str, Any]:
        answer = self._schema.execute_sync(document, variable_values=dict(variables), context_value=context)
        return _data(answer)


class GrapheneExecutor:
    """Runs documents on a `graphene.Schema`."""

    @classmethod
    def flaw(cls) -> str | None:
        """What keeps it from working at all, for `manage.py check`."""
        return missing("graphene", _EXTRA)

    def __init__(self, schema: Any) -> None:
        self._schema = schema

    def execute(self, document: str, variables: Mapping[str, Any], context: object) -> dict[str, Any]:
        answer = self._schema.execute(document, variable_values=dict(variables), context_value=context)
        return _data(answer)


def run(document: str, variables: Mapping[str, Any], context: object, *, kind: Kind) -> dict[str, Any]:
    """Run one document with exactly one operation, which must be of that kind; returns the answer's data.

    Raises BadInput for a document that is too costly, of another kind or does not fit the schema, ConfigurationError
    when the executor or its library is missing, and what a resolver raised as it is.
    """
    executor = configured()
    _check(document, kind)
    return executor.execute(document, variables, context)


def configured() -> GraphQLExecutor:
    """The executor of the settings. Raises ConfigurationError, which says what to install or to correct."""
    settings = catalog()
    return _executor(settings.graphql_executor, settings.graphql_schema)


@functools.cache
def _executor(path: str, schema_path: str) -> GraphQLExecutor:
    kind = import_string(path)
    flaw = getattr(kind, "flaw", lambda: None)()
    if flaw:
        raise errors.ConfigurationError(f"TASK_CATALOG['graphql_executor'] is {path!r}, which cannot work: {flaw}.")
    try:
        schema = import_string(schema_path)
    except ImportError as error:
        raise errors.ConfigurationError(
            f"TASK_CATALOG['graphql_schema'] is {schema_path!r}, which cannot be imported: {error}. "
            "Right is the dotted path of a schema, 'package.module.schema'."
        ) from error
    executor: GraphQLExecutor = kind(schema)
    return executor


def _data(answer: Any) -> dict[str, Any]:
    """The data of an answer without errors. With errors: the one that another attempt may cure goes first."""
    found = list(answer.errors or ())
    if not found:
        return dict(answer.data or {})
    raised = [error.original_error for error in found if error.original_error is not None]
    cause = next((error for error in raised if not isinstance(error, BadInput)), raised[0] if raised else None)
    if cause is not None and not _is_about_the_document(cause):
        raise cause
    told = "; ".join(_told(error) for error in found[:3])
    raise BadInput(f"The document does not fit the schema: {told}") from cause


def _is_about_the_document(error: Exception) -> bool:
    from graphql import GraphQLError

    return isinstance(error, GraphQLError)


def _told(error: Any) -> str:
    text = str(error.message)
    return text if catalog().graphql_introspection else _SUGGESTION.sub("", text)


def _check(document: str, kind: Kind) -> None:
    """Refuse what is too long, too deep, too broad, of another kind, or asks for the schema."""
    import graphql

    settings = catalog()
    if len(document) > settings.graphql_max_chars:
        raise BadInput(
            f"The document has {len(document)} characters; right are {settings.graphql_max_chars} at most. "
            "What is reported belongs into the variables."
        )
    try:
        tree = graphql.parse(document, no_location=True)
    except graphql.GraphQLError as error:
        raise BadInput(f"The document is no GraphQL: {error.message}") from error
    except RecursionError as error:
        raise BadInput("The document is nested too deeply to be read.") from error
    operations = [node for node in tree.definitions if isinstance(node, graphql.OperationDefinitionNode)]
    if len(operations) != 1:
        raise BadInput(f"The document has {len(operations)} operations; right is exactly one {kind}.")
    (operation,) = operations
    if operation.operation.value != kind:
        raise BadInput(f"The document is a {operation.operation.value}; right is a {kind}.")
    fragments = {node.name.value: node for node in tree.definitions if isinstance(node, graphql.FragmentDefinitionNode)}
    try:
        cost = _Costs(fragments, may_introspect=settings.graphql_introspection).of(operation.selection_set)
    except RecursionError as error:
        raise BadInput("The document is nested too deeply to be read.") from error
    for what, found, most in (
        ("levels of fields", cost[0], settings.graphql_max_depth),
        ("aliases", cost[1], settings.graphql_max_aliases),
        ("fields", cost[2], settings.graphql_max_fields),
    ):
        if found > most:
            raise BadInput(f"The document has {found} {what}; right are {most} at most. Send it in parts.")


class _Costs:
    """Depth, aliases and fields of selections. Each fragment is looked at once, however often it is spread."""

    def __init__(self, fragments: Mapping[str, Any], *, may_introspect: bool) -> None:
        self._fragments = fragments
        self._may_introspect = may_introspect
        self._known: dict[str, tuple[int, int, int] | None] = {}

    def of(self, selections: Any) -> tuple[int, int, int]:
        if selections is None:
            return 0, 0, 0
        return _sum([self._of_one(node) for node in selections.selections])

    def _of_one(self, node: Any) -> tuple[int, int, int]:
        if node.kind == "field":
            if not self._may_introspect and node.name.value in ("__schema", "__type"):
                raise BadInput(f"The document asks for {node.name.value}; the schema is not told.")
            depth, aliases, fields = self.of(node.selection_set)
            return depth + 1, aliases + (node.alias is not None), fields + 1
        if node.kind == "inline_fragment":
            return self.of(node.selection_set)
        return self._of_fragment(node.name.value)

    def _of_fragment(self, name: str) -> tuple[int, int, int]:
        if name not in self._fragments:
            raise BadInput(f"The document spreads the fragment {name!r}, which it does not define.")
        if name not in self._known:
            self._known[name] = None
            self._known[name] = self.of(self._fragments[name].selection_set)
        cost = self._known[name]
        if cost is None:
            raise BadInput(f"The document's fragment {name!r} spreads itself.")
        return cost


def _sum(costs: Sequence[tuple[int, int, int]]) -> tuple[int, int, int]:
    return max((cost[0] for cost in costs), default=0), sum(cost[1] for cost in costs), sum(cost[2] for cost in costs)
