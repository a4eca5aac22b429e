"""What devices send, on its way to the queue: every 20th mutation of the company arrives twice, in the order of sending."""

from __future__ import annotations

from task_catalog.high_priority.mobile import process_graphql_mutation_async
from youtility_tasks import enqueue_many

from .traffic import TWICE_EVERY


class Post:
    """Counts the different mutations of the whole company."""

    def __init__(self) -> None:
        self.sent = 0

    def deliver(self, payload: str) -> None:
        """A mutation arrives, in the present tenant's name; now and then the network repeats it."""
        self.sent += 1
        copies = 2 if self.sent % TWICE_EVERY == 0 else 1
        enqueue_many(process_graphql_mutation_async, [{"payload": payload}] * copies)

    def deliver_unreadable(self, payload: str) -> None:
        """Something arrives that is no mutation; it counts for nothing."""
        process_graphql_mutation_async.enqueue(payload=payload)
