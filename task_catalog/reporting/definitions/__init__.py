"""The company's reports; importing this package registers them."""

from . import assets, attendance, summaries, tickets, tours, visits, work_orders

__all__ = ["assets", "attendance", "summaries", "tickets", "tours", "visits", "work_orders"]
