"""The workflows of the company (catalog.md 4): which task comes after which, and where people decide.

Each module is one workflow: `begin(...)` starts a run in the caller's transaction, and the functions beside it are what people and
pages say to it; where a part goes on by the clock, the task that finds what is due begins the run, or says to it how it went on.
"""
