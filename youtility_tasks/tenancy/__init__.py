"""Keeps tenants apart in the database itself: roles, row level security, and a signed token that says for whom a transaction is.

plan.py says as data who may do what with which table, check.py compares the database with it, apply.py makes it true;
token.py signs, guard.py sends the token with the statements, roles.py lets a process connect as what it is.
"""
