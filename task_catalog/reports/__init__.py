"""Long and patient: written to a file, then mailed or linked."""

from . import history, mailing, on_demand, scheduled

__all__ = ["history", "mailing", "on_demand", "scheduled"]
