"""What the day must give, recomputed for any date and scale in plain Python: no database, none of the tasks' rules.

It is a second, independent reading of the catalogue, so that a mistake in the tasks shows as a difference.
"""

from .totals import totals
from .values import Totals, Value

__all__ = ["Totals", "Value", "totals"]
