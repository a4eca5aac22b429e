"""The processes: a supervisor, one worker a queue, and the children that run tasks.

```
supervisor ── worker (high_priority) ── matron ── nursery ── child, child, ...
                                              ── nursery ── child that runs a job which has crashed before
           ── worker (email)         ── matron ── nursery ── child
```

Everything is forked from the supervisor, which has Django loaded and neither threads nor connections, so a child is
ready in milliseconds and shares its memory. User code runs only in children.
"""
