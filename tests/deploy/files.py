"""Where the files of deploy/ are, and how they are read and tried."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"
BIN = Path(sys.executable).parent


def run(*command: str | Path, **options: Any) -> subprocess.CompletedProcess[str]:
    """The program, ended, with what it said."""
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60, **options)


def documents(text: str) -> list[Any]:
    """The YAML documents of a file; those of comments alone are none."""
    return [each for each in yaml.safe_load_all(text) if each is not None]
