"""Rules that make jobs again and again: when a schedule is due, and one job for each tick however many workers look."""
