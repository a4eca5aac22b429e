"""What can go wrong before a figure is measured; each message says what to do."""


class BenchError(Exception):
    """The root."""


class PeerAbsent(BenchError):
    """A peer, or a program that it needs, is not installed and could not be."""


class UnknownPeer(BenchError):
    """A name that is no system to measure ourselves against."""


class NotEnded(BenchError):
    """Work that was measured did not end within its time."""
