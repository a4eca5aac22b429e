"""The face check of a punch: what was asked, what is seen, what is noted; `high_priority.faces` is the task."""
