"""Looks at an installation and says what is wrong with it and what to do: for the command line and for probes."""
