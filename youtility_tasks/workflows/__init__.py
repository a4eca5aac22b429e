"""Steps that wait for each other: a graph of jobs, started as one and released step by step.

graph.py, references.py: what may be said of steps and edges; no database. definition.py: `Workflow`, which people write.
start.py: a definition becomes rows. runs.py: a run, and what people do with it. resolve.py: inside a child, the results that a
step's arguments stand for. templates.py: definitions stored by name and version. sweep.py: deadlines, and what nobody released.
Release itself is SQL (migration 0021): it happens in the statement that ends a job, whoever sends it.
"""
