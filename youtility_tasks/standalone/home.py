"""Where the embedded server and the project's secret live, and as whom the server runs."""

from __future__ import annotations

import os
import pwd
import secrets
import shutil
import subprocess
import tempfile
from pathlib import Path

from .errors import StandaloneError

SYSTEM_USER = "youtility-tasks"


def folder() -> Path:
    """The state folder: YOUTILITY_HOME, else /var/lib/youtility-tasks for root, else the user's own state folder."""
    given = os.environ.get("YOUTILITY_HOME")
    if given:
        return Path(os.path.abspath(given))
    if os.geteuid() == 0:
        return Path("/var/lib/youtility-tasks")
    state = os.environ.get("XDG_STATE_HOME") or os.path.expanduser("~/.local/state")
    return Path(state) / "youtility-tasks"


def make_folder(path: Path) -> None:
    """Make a folder and what is missing above it; root's can be passed through, whatever the umask.

    One that exists is left exactly as it is. Raises StandaloneError if it cannot be made.
    """
    if path.is_dir():
        return
    make_folder(path.parent)
    try:
        path.mkdir(exist_ok=True)
        if os.geteuid() == 0:
            path.chmod(0o755)
    except OSError as error:
        raise StandaloneError(
            f"The folder {path} cannot be made: {error.strerror}. Name one that can be with YOUTILITY_HOME, or set DATABASE_URL."
        ) from error


def server_user() -> pwd.struct_passwd | None:
    """The user PostgreSQL runs as: nobody in particular for an ordinary user; for root, whom PostgreSQL refuses, our own.

    Creates that system user when it is missing. Raises StandaloneError when it cannot.
    """
    if os.geteuid() != 0:
        return None
    try:
        return pwd.getpwnam(SYSTEM_USER)
    except KeyError:
        pass
    useradd = shutil.which("useradd") or "/usr/sbin/useradd"
    command = [useradd, "--system", "--no-create-home", "--home-dir", "/nonexistent", "--shell", "/usr/sbin/nologin"]
    try:
        subprocess.run([*command, SYSTEM_USER], check=True, capture_output=True, text=True)  # noqa: S603
        return pwd.getpwnam(SYSTEM_USER)
    except (OSError, subprocess.CalledProcessError, KeyError) as error:
        raise StandaloneError(
            f"PostgreSQL does not run as root, and the user {SYSTEM_USER!r} could not be made with {useradd}: {error}. "
            "Make it by hand, run as an ordinary user, or set DATABASE_URL."
        ) from error


def secret_key() -> str:
    """Django's secret key: SECRET_KEY, else one made once and kept in the state folder (readable by its owner alone)."""
    given = os.environ.get("SECRET_KEY")
    if given:
        return given
    kept = folder() / "secret_key"
    try:
        return kept.read_text(encoding="ascii")
    except OSError:
        pass
    key = secrets.token_urlsafe(50)
    try:
        make_folder(kept.parent)
        with tempfile.NamedTemporaryFile("w", encoding="ascii", dir=kept.parent, prefix="secret_key.") as whole:
            whole.write(key)
            whole.flush()
            os.link(whole.name, kept)  # complete or not at all: another process may be doing the same
    except FileExistsError:
        return kept.read_text(encoding="ascii")
    except (OSError, StandaloneError):
        return key  # nowhere to keep it: sessions end with this process
    return key
