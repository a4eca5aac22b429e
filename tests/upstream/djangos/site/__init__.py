"""A small company site of packages that we did not write, whose tasks our workers run."""
