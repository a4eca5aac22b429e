"""PDFs that go along with mails: made from the rows when they are sent, never read from a path somebody passed.

Templates are `task_catalog/pdf/*.html`; an adopter overrides them in a template folder of his own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from django.template.loader import render_to_string
from django.utils.text import slugify

from task_catalog.conf import catalog
from task_catalog.ports import mail, pdf
from youtility_tasks import TaskContext

FOR_THE_MAIL_S = 40.0
"""Seconds of a task's time that making its document leaves for sending it."""
LEAST_S = 5.0


class Document:
    """One PDF for all messages of a job, made when the first of them needs it."""

    def __init__(self, context: TaskContext, name: str, template: str, facts: Callable[[], Mapping[str, Any]]) -> None:
        self._context = context
        self._name = name
        self._template = template
        self._facts = facts
        self._made: mail.Attachment | None = None
        self._error: Exception | None = None

    def attachment(self) -> mail.Attachment:
        """The PDF. Raises what `pdf.render` raises, at each call, without trying again."""
        if self._error is not None:
            raise self._error
        if self._made is None:
            try:
                self._made = mail.Attachment(name=self._name, content=self._render(), media_type="application/pdf")
            except Exception as error:
                self._error = error
                raise
        return self._made

    def _render(self) -> bytes:
        html = render_to_string(
            f"task_catalog/pdf/{self._template}.html", {**self._facts(), "company_name": catalog().company_name}
        )
        return pdf.render(html, timeout_s=max(min(self._context.time_left_s() - FOR_THE_MAIL_S, 120.0), LEAST_S))


def file_name(*words: object) -> str:
    """A file's name of plain letters; put an id among the words, since the rest may be the same elsewhere (D23)."""
    return "-".join(part for word in words if (part := slugify(str(word))[:60])) + ".pdf"
