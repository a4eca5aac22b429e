"""Keeps tenants apart in the database itself: roles, row level security, and a signed token that says for whom a transaction is.

house.py says as data who may do what with which table, in the words of rights.py; plan.py adds the application's tables.
check.py and grants.py compare the database with that, apply.py makes it true. token.py signs, guard.py sends the token with the
statements, roles.py lets a process connect as what it is, owner.py lets whoever migrates see one tenant's rows.
"""
