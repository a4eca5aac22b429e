"""What can go wrong before Django is there; each message says what to do."""


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
