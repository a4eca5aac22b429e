"""Guards of the workers' own code, taken away in a process of a test: what a test proves must then be proved no more."""

from __future__ import annotations

import importlib
import inspect
import textwrap
from typing import NamedTuple


class Mutant(NamedTuple):
    """A function, text of its source, and what stands there instead."""

    module: str
    function: str
    """With its class: `Children._bury`."""
    guard: str
    instead: str


def apply(mutant: Mutant) -> None:
    """Give this process, and all that it forks, the mutant. Raises ValueError when the function has no such text."""
    module = importlib.import_module(mutant.module)
    *path, name = mutant.function.split(".")
    owner = module
    for part in path:
        owner = getattr(owner, part)
    source = textwrap.dedent(inspect.getsource(getattr(owner, name)))
    if source.count(mutant.guard) != 1:
        raise ValueError(f"{mutant.function} has {source.count(mutant.guard)} times {mutant.guard!r}")
    made: dict[str, object] = {}
    # With the module's own globals, so that the mutant calls what the original calls.
    future = "from __future__ import annotations\n"
    exec(compile(future + source.replace(mutant.guard, mutant.instead), mutant.function, "exec"), vars(module), made)  # noqa: S102
    setattr(owner, name, made[name])
