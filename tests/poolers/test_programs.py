"""A test that wants a program which is not there says so, and fails where it was promised."""

from __future__ import annotations

import pytest

from tests.conftest import require_program


@pytest.mark.parametrize(("ci", "outcome"), [("", pytest.skip.Exception), ("true", pytest.fail.Exception)])
def test_a_program_that_is_not_there(monkeypatch: pytest.MonkeyPatch, ci: str, outcome: type[BaseException]) -> None:
    monkeypatch.setenv("CI", ci)

    with pytest.raises(outcome, match="no-such-thing is not installed; on Debian: apt-get install some-package"):
        require_program("no-such-thing", package="some-package")
