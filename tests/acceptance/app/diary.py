"""What really happened, kept where neither the queue nor a crash can change it: one line of JSON a write."""

from __future__ import annotations

import json
import os
import time
from typing import Any


def write(event: str, **more: Any) -> None:
    line = json.dumps({"event": event, "pid": os.getpid(), "at": time.monotonic(), **more}) + "\n"
    diary = os.open(os.environ["TEST_DIARY"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    try:
        os.write(diary, line.encode())
    finally:
        os.close(diary)
