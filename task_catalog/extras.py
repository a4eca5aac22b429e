"""Optional packages: what is missing is named together with the extra that brings it."""

from __future__ import annotations

from importlib.util import find_spec

from youtility_tasks import errors


class MissingExtra(errors.ConfigurationError):
    """A component that the settings name needs a package that is not installed."""

    def __init__(self, what: str, package: str, extra: str) -> None:
        self.extra = extra
        super().__init__(
            f"{what} needs the package {package!r}, which is not installed. Install the extra that brings it: "
            f"{to_install(extra)}."
        )


def is_installed(package: str) -> bool:
    """Whether a package can be imported; does not import it."""
    try:
        return find_spec(package) is not None
    except (ImportError, ValueError):
        return False


def missing(package: str, extra: str) -> str | None:
    """What is to be said of a package that a component needs, if it is not installed."""
    return None if is_installed(package) else f"{package} is not installed: {to_install(extra)}"


def to_install(extra: str) -> str:
    """The command that brings an extra."""
    return f"pip install 'youtility-tasks[{extra}]'"
