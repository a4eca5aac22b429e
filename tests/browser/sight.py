"""One person's browser, and what it complains about."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.contrib.auth.models import User
from django.contrib.sessions.backends.db import SessionStore
from playwright.sync_api import Page

_AXE = (Path(__file__).parent / "vendor" / "axe.min.js").read_text()
_POLICY = """
    document.addEventListener("securitypolicyviolation", (e) =>
        console.error(`policy: ${e.violatedDirective} ${e.blockedURI} ${e.sourceFile}:${e.lineNumber}`));
"""


class Screen:
    """A page of the console as somebody sees it."""

    def __init__(self, page: Page, address: str) -> None:
        self.page = page
        self.address = address
        self.complaints: list[str] = []
        page.add_init_script(_POLICY)
        page.on("console", self._hear)
        page.on("pageerror", lambda error: self.complaints.append(f"error: {error}"))

    def _hear(self, message: Any) -> None:
        # A page that answers 4xx on purpose is told to the console by the browser itself.
        if message.type == "error" and "Failed to load resource" not in message.text:
            self.complaints.append(message.text)

    def sign_in(self, user: User) -> None:
        """With a session, as if they had."""
        session = SessionStore()
        session[SESSION_KEY] = str(user.pk)
        session[BACKEND_SESSION_KEY] = settings.AUTHENTICATION_BACKENDS[0]
        session[HASH_SESSION_KEY] = user.get_session_auth_hash()
        session.save()
        cookie = {"name": settings.SESSION_COOKIE_NAME, "value": str(session.session_key), "url": self.address}
        self.page.context.add_cookies([cookie])  # type: ignore[list-item]

    def go(self, path: str) -> None:
        """To a page below the console's root."""
        self.page.goto(f"{self.address}/tasks/{path}")

    def press(self, *keys: str) -> None:
        for key in keys:
            self.page.keyboard.press(key)

    def check_accessible(self) -> None:
        """No finding of axe-core, for WCAG 2.2 A and AA and its best practices."""
        self.page.evaluate(_AXE)
        found = self.page.evaluate("axe.run(document, {resultTypes: ['violations']})")
        said = [
            f"{each['id']}: {each['help']} {[node['html'][:160] + ' ' + node.get('failureSummary', '')[:300] for node in each['nodes'][:3]]}"
            for each in found["violations"]
        ]
        assert said == []

    def check_fits(self) -> None:
        """Nothing makes the whole page wider than its window."""
        assert self.page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), (
            "the page scrolls sideways"
        )

    def shoot(self, folder: Path, name: str) -> None:
        """A picture of the whole page."""
        self.page.screenshot(path=folder / f"{name}.png", full_page=True)
