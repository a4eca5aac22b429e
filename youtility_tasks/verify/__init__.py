"""The chaos checker: does the queue keep its promises while everything around it breaks?

A run stands on two PostgreSQL servers of its own (never on the project's): the queue's, which is injured, and the
ledger's, which is not. A generator enqueues tasks of eighteen shapes for five tenants, two supervisors with two queues
each run them, and the nemesis kills, freezes, cuts off and restarts whatever it likes. Every process writes what it means
to do, did and saw into the ledger: a file that survives its death, and a table. Then everything is healed, a clean
supervisor drains the queue, and a pure function compares ledger and tables: one line an invariant, and for each key that
breaks one its whole life.

Tiers: `interleavings` (deterministic: every order of a few sessions' statements, against a model), `short` (that and one
run with four faults), `faults` (one fault at a time, and every failpoint), `soak` (everything, for many minutes, by hand).

Read on: `entries` (what is written down), `shapes` and `tasks` (what is run), `plan` and `generator` (what is enqueued),
`nemesis` (what is broken), `run` (one run from end to end), `checker` (the verdict), `interleavings` (without processes).
"""
