"""Measures this package and its peers side by side: the same work, the same database, real worker processes."""
