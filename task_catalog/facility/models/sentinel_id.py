"""The id of the NONE row that stands for "no person", "no asset", ... in tables that have one."""

NONE_ID = 1
