"""The company's reports; importing this package registers them."""

from . import summaries, tickets, visits, work_orders

__all__ = ["summaries", "tickets", "visits", "work_orders"]
