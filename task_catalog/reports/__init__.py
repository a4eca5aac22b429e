"""Long and patient: written to a file, then mailed or linked."""

from . import history, on_demand, scheduled

__all__ = ["history", "on_demand", "scheduled"]
