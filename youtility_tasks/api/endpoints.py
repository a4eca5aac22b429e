"""The table of endpoints: what each takes, gives and needs. Routes, checks and the OpenAPI document are made from it."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from youtility_tasks.visits import For

from .words import Nothing, OfTenant, OfTenantOrSweeps


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One method of one path."""

    method: str
    path: str
    """As Django writes routes: "jobs/<id:job_id>"."""
    run: Callable[..., Any]
    scope: For
    query: type[BaseModel]
    body: type[BaseModel] | None
    gives: type[BaseModel]
    status: int
    group: str
    refusals: tuple[int, ...]
    takes_key: bool
    """Whether the header Idempotency-Key is given to it as `key`."""
    one_transaction: bool
    """Whether all that it does is one transaction, whose statements have a limit of time."""

    @property
    def name(self) -> str:
        """Its operation id."""
        return str(self.run.__name__)

    @property
    def template(self) -> str:
        """Its path as OpenAPI writes it."""
        return re.sub(r"<\w+:(\w+)>", r"{\1}", self.path)

    @property
    def parameters(self) -> dict[str, str]:
        """The parts of its path: name -> converter."""
        return {name: kind for kind, name in re.findall(r"<(\w+):(\w+)>", self.path)}


_WORDS: dict[For, type[BaseModel]] = {
    For.ANYBODY: Nothing,
    For.TENANT: OfTenant,
    For.TENANT_OR_SWEEPS: OfTenantOrSweeps,
    For.TENANT_OR_OPS: OfTenant,
    For.OPS: Nothing,
}
ENDPOINTS: list[Endpoint] = []


def endpoint(
    method: str,
    path: str,
    *,
    gives: type[BaseModel],
    scope: For = For.TENANT_OR_OPS,
    query: type[BaseModel] | None = None,
    body: type[BaseModel] | None = None,
    status: int = 200,
    refusals: tuple[int, ...] = (),
    takes_key: bool = False,
    one_transaction: bool = True,
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Put a function into the table. It is given `query`, `body` if there is one, `place` where it works for somebody, and the parts
    of its path by name.

    `refusals`: statuses of its own beside those that every endpoint may answer.
    """

    def put(run: Callable[..., Any]) -> Callable[..., Any]:
        words = query or _WORDS[scope]
        ENDPOINTS.append(
            Endpoint(
                method,
                path,
                run,
                scope,
                words,
                body,
                gives,
                status,
                path.split("/")[0],
                refusals,
                takes_key,
                one_transaction,
            )
        )
        return run

    return put
