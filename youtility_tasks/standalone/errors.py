"""What can go wrong before Django is there; each message says what to do."""

import difflib
from collections.abc import Iterable


class StandaloneError(Exception):
    """The root."""


class NoPostgres(StandaloneError):
    """No PostgreSQL binaries were found."""


class ServerFailed(StandaloneError):
    """The embedded server did not start."""


class DatabaseUnreachable(StandaloneError):
    """The database of DATABASE_URL does not answer, or the address is not one."""


class NotSetUp(StandaloneError):
    """The database has not had all of our migrations."""


class WrongEnvironment(StandaloneError):
    """A variable of the environment holds what cannot be meant."""

    def __init__(self, name: str, given: str, right: str) -> None:
        super().__init__(f"{name} is {given!r}; right is {right}. Correct it, or unset it for the default.")


class BadUsage(StandaloneError):
    """Words that make no sense; exit status 2."""


class UnknownApp(BadUsage):
    """A word where the name of an installed app belongs."""

    def __init__(self, word: str, known: Iterable[str]) -> None:
        super().__init__(
            f"No app is called {word!r}; known: {', '.join(sorted(known))}. Without a name all are checked."
        )


class UnknownCommand(BadUsage):
    """A word that is no command."""

    def __init__(self, word: str, ours: Iterable[str], known: Iterable[str]) -> None:
        close = difflib.get_close_matches(word, list(known), n=1)
        super().__init__(
            f"No command is called {word!r}.{f' Did you mean {close[0]!r}?' if close else ''}\n"
            f"Commands: {', '.join(sorted(ours))}.\n"
            "Django's own, such as migrate, work too: `youtility-tasks help` lists all, `youtility-tasks X -h` explains one."
        )
