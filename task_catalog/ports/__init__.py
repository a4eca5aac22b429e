"""The outside world as small protocols and their real forms; tests pass fakes."""
