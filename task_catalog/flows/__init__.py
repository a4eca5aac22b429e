"""The workflows of the company (catalog.md 4): which task comes after which, and where people decide.

Each module is one workflow: `begin(...)` starts a run in the caller's transaction, and the functions beside it are what people and
pages say to it. Where the catalogue goes on by the clock (W1, W4) the sweeps are the edges, and no run waits for them.
"""
