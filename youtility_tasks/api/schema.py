"""The OpenAPI document, made from the table of endpoints."""

from __future__ import annotations

import functools
import inspect
from typing import Any

from pydantic.json_schema import models_json_schema

from youtility_tasks.addresses import LARGEST_ID
from youtility_tasks.problems import MEDIA_TYPE

from .endpoints import ENDPOINTS, Endpoint
from .reading import LONGEST_KEY
from .words import ProblemDocument

_REF = "#/components/schemas/{model}"
_EVERYWHERE = (400, 401, 403, 422, 429, 503)
_OF_BODIES = (413, 415)
_SAYS = {
    400: "It cannot be read, or is not JSON.",
    401: "Nobody is signed in, or the token opens nothing.",
    403: "The role does not reach so far, or a session's request has no CSRF token.",
    404: "There is none, for whom the request works.",
    409: "Its present state does not allow it; nothing was changed.",
    413: "The body is too large.",
    415: "The body is of another type.",
    422: "A value cannot be meant; nothing was changed.",
    429: "Too many requests; Retry-After says when.",
    503: "The database does not answer in time.",
}
_CONVERTERS: dict[str, dict[str, Any]] = {
    "id": {"type": "integer", "minimum": 1, "maximum": LARGEST_ID},
    "name": {"type": "string", "minLength": 1, "maxLength": 128, "pattern": "^[^/]+$"},
    "day": {"type": "string", "format": "date"},
}


@functools.cache
def document() -> dict[str, Any]:
    """OpenAPI 3.1."""
    bodies = [(each.body, "validation") for each in ENDPOINTS if each.body is not None]
    answers = [(each.gives, "serialization") for each in ENDPOINTS]
    models: Any = list(dict.fromkeys([*bodies, *answers, (ProblemDocument, "serialization")]))
    refs, definitions = models_json_schema(models, ref_template=_REF)
    paths: dict[str, dict[str, Any]] = {}
    for each in ENDPOINTS:
        paths.setdefault(f"/{each.template}", {})[each.method.lower()] = _operation(each, refs)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "youtility-tasks",
            "version": "1",
            "description": "Queues, jobs, schedules, workflows, workers and tenants. Every answer that is no success is a problem (RFC 9457).",
        },
        "security": [{"token": []}, {"session": []}],
        "paths": paths,
        "components": {
            "schemas": definitions.get("$defs", {}),
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer"},
                "session": {
                    "type": "apiKey",
                    "in": "cookie",
                    "name": "sessionid",
                    "description": "With X-CSRFToken where something changes.",
                },
            },
        },
    }


def _operation(each: Endpoint, refs: Any) -> dict[str, Any]:
    said = inspect.getdoc(each.run) or ""
    refusals = sorted({*_EVERYWHERE, *each.refusals, *(_OF_BODIES if each.body is not None else ())})
    operation: dict[str, Any] = {
        "operationId": each.name,
        "summary": said.split("\n")[0],
        "description": f"{said}\n\nWorks for {each.scope.value}.",
        "tags": [each.group],
        "parameters": [*_path(each), *_query(each), *_headers(each)],
        "responses": {
            str(each.status): {
                "description": "Done." if each.method != "GET" else "Here it is.",
                "content": {"application/json": {"schema": refs[each.gives, "serialization"]}},
            },
            **{str(status): _refusal(status, refs) for status in refusals},
        },
    }
    if each.body is not None:
        body: Any = each.body
        needed = any(field.is_required() for field in body.model_fields.values())
        operation["requestBody"] = {
            "required": needed,
            "content": {"application/json": {"schema": refs[each.body, "validation"]}},
        }
    return operation


def _refusal(status: int, refs: Any) -> dict[str, Any]:
    return {
        "description": _SAYS[status],
        "content": {MEDIA_TYPE: {"schema": refs[ProblemDocument, "serialization"]}},
    }


def _path(each: Endpoint) -> list[dict[str, Any]]:
    return [
        {"name": name, "in": "path", "required": True, "schema": _CONVERTERS[kind]}
        for name, kind in each.parameters.items()
    ]


def _query(each: Endpoint) -> list[dict[str, Any]]:
    model: Any = each.query
    made = model.model_json_schema()
    definitions = made.get("$defs", {})
    return [
        {
            "name": name,
            "in": "query",
            "required": name in made.get("required", ()),
            "schema": _inlined(schema, definitions),
            **({"description": schema["description"]} if "description" in schema else {}),
        }
        for name, schema in made.get("properties", {}).items()
    ]


def _inlined(schema: Any, definitions: dict[str, Any]) -> Any:
    """Without references, and without null, which no word behind a question mark can say."""
    if isinstance(schema, list):
        return [_inlined(each, definitions) for each in schema]
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        return _inlined(definitions[schema["$ref"].rpartition("/")[2]], definitions)
    kinds = [each for each in schema.get("anyOf", ()) if each != {"type": "null"}]
    if len(kinds) == 1:
        schema = {**{name: each for name, each in schema.items() if name not in ("anyOf", "default")}, **kinds[0]}
    return {name: _inlined(each, definitions) for name, each in schema.items() if name not in ("title", "description")}


def _headers(each: Endpoint) -> list[dict[str, Any]]:
    if not each.takes_key:
        return []
    schema = {"type": "string", "minLength": 1, "maxLength": LONGEST_KEY, "pattern": "^[ -~]+$"}
    return [{"name": "Idempotency-Key", "in": "header", "required": False, "schema": schema}]
