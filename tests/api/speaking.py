"""A client that speaks JSON, and two tenants."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.test import Client

from tests.somebody import ACME, OTHER

__all__ = ["ACME", "OTHER", "Answer", "Api"]


@dataclass
class Answer:
    """What came back."""

    status: int
    json: Any
    headers: Any

    def __getitem__(self, key: str) -> Any:
        return self.json[key]


class Api:
    """One caller: `api.get("jobs/", status="todo")`, `api.post("jobs/", task="add")`."""

    def __init__(self, client: Client, **headers: str) -> None:
        self.client, self.headers = client, headers

    def get(self, path: str, **query: Any) -> Answer:
        return self._answer(self.client.get(f"/tasks/api/{path}", query, headers=self.headers))

    def post(self, path: str, **said: Any) -> Answer:
        return self.send("post", path, said)

    def send(self, method: str, path: str, said: Any = None, **headers: str) -> Answer:
        send = getattr(self.client, method)
        url = f"/tasks/api/{path}"
        return self._answer(send(url, said or {}, content_type="application/json", headers={**self.headers, **headers}))

    def raw(self, method: str, path: str, body: bytes, content_type: str = "application/json") -> Answer:
        send = self.client.generic
        return self._answer(send(method, f"/tasks/api/{path}", body, content_type=content_type, headers=self.headers))

    @staticmethod
    def _answer(response: Any) -> Answer:
        is_json = "json" in response.headers.get("Content-Type", "")
        return Answer(response.status_code, response.json() if is_json else response.content, response.headers)
