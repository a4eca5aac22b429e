"""How a report is made: what was asked for, rows from one statement, a file written whole or not at all (R-REP)."""
