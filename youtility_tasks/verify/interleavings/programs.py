"""What the sessions of a schedule want to do, each in its own order; all orders between them are tried."""

from __future__ import annotations

from collections.abc import Iterator

Program = dict[str, tuple[str, ...]]
"""Session -> its actions. `a` and `b` are workers, `u` is upkeep or a person."""

PROGRAMS: dict[str, Program] = {
    "a zombie finishes": {"a": ("claim", "freeze", "finish"), "b": ("claim", "finish"), "u": ("rescue", "rescue")},
    "a zombie renews": {"a": ("claim", "freeze", "renew", "finish"), "b": ("claim", "finish"), "u": ("rescue",)},
    "two zombies": {"a": ("claim", "freeze", "finish"), "b": ("claim", "freeze", "finish"), "u": ("rescue", "rescue")},
    "a claim reply is lost": {"a": ("claim_lost", "renew", "claim"), "b": ("claim", "finish"), "u": ("rescue", "cancel")},
    "a finish reply is lost": {"a": ("claim", "finish_lost", "renew", "finish"), "b": ("claim", "finish"), "u": ("rescue",)},
    "attempts are retried": {"a": ("claim", "retry", "claim", "finish"), "b": ("claim", "freeze", "finish"), "u": ("rescue",)},
    "a child dies": {"a": ("claim", "crash", "claim", "finish"), "b": ("claim", "finish"), "u": ("cancel",)},
    "somebody cancels": {"a": ("claim", "freeze", "retry"), "b": ("claim", "retry"), "u": ("cancel", "rescue")},
    "a job meets its own past": {
        "a": ("claim", "forget", "renew", "claim", "finish_forgotten", "finish"),
        "b": ("claim", "finish"),
    },
}  # fmt: skip


def choices(program: Program, at: dict[str, int]) -> Iterator[tuple[str, str]]:
    """The next action of every session that has one left."""
    for session, actions in program.items():
        if at[session] < len(actions):
            yield session, actions[at[session]]
