"""The programs of each peer. They run in the peer's own environment, where this package is not installed: only the folder
above is on their path, so that they are `peers.X` there."""
