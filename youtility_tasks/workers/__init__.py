"""The processes: a supervisor, one worker a queue, and the children that run tasks.

```
supervisor ── worker (high_priority) ── nursery ── child, child, ...
           ── worker (email)         ── nursery ── child
```

Everything is forked from the supervisor, which has Django loaded and neither threads nor connections, so a child is
ready in milliseconds and shares its memory. User code runs only in children.
"""
