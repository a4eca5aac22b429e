"""What `make demo` says where Python is not fit for it, and what `make test` needs of the files it runs."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

PYTHON_WITHOUT_ENSUREPIP = """#!/bin/sh
if [ "$1" = -c ]; then exec {python} -c 'import sys; sys.version_info = {version}; exec(sys.argv[1])' "$2"; fi
mkdir -p .venv/bin && touch .venv/bin/python && echo "ensurepip is not available" >&2 && exit 1
"""


@pytest.mark.parametrize(
    ("version", "says"), [((3, 10, 12), "Python 3.11 or newer is needed"), ((3, 11, 2), "ensurepip is not available")]
)
def test_an_unfit_python_leaves_nothing_behind_that_the_next_try_would_use(
    tmp_path: Path, version: tuple[int, ...], says: str
) -> None:
    for name in ("Makefile", "pyproject.toml"):
        shutil.copy(ROOT / name, tmp_path)
    python = tmp_path / "python"
    python.write_text(PYTHON_WITHOUT_ENSUREPIP.format(python=sys.executable, version=version))
    python.chmod(0o755)

    made = subprocess.run(
        ["make", "demo", "PYTHON=./python"], cwd=tmp_path, capture_output=True, text=True, check=False
    )

    assert made.returncode != 0
    assert says in made.stderr
    assert not (tmp_path / ".venv").exists()


def test_no_two_files_of_tests_have_the_same_name() -> None:
    """Of two in folders that are no packages pytest takes the first, and says of the other that it cannot be collected."""
    names = Counter(path.name for path in (ROOT / "tests").rglob("test_*.py"))
    assert [name for name, times in names.items() if times > 1] == []
