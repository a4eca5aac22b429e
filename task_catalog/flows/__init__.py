"""The workflows of the company (catalog.md 4): which task comes after which, and where people decide.

Each module is one workflow: `begin(...)` starts a run in the caller's transaction, and the functions beside it are what people and
pages say to it. In W1 the sweeps are the edges: planned visits go on by the clock and by their own state, and no run waits for them.
"""
