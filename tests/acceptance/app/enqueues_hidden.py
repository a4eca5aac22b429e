"""A program that enqueues what stdin says, `[[task, {arguments}], ...]`, by `enqueue` and by `enqueue_many`; prints the ids."""

from __future__ import annotations

import json
import sys

import django

if __name__ == "__main__":
    django.setup()
    from youtility_tasks import enqueue_many, registry
    from youtility_tasks.errors import EnqueueError

    calls = json.load(sys.stdin)
    ids = []
    for n, (name, arguments) in enumerate(calls):
        declared = registry.get(name)
        result = declared.enqueue(**arguments) if n % 2 else enqueue_many(declared, [arguments])[0]
        ids.append(result.id)
        sys.stderr.write(f"{result!r} {declared.get_result(result.id)!r}\n")
        for bad in ({**arguments, "more": 1}, {**arguments, "token": {"deep": {arguments["token"]: float("nan")}}}):
            try:
                declared.enqueue(**bad)
            except EnqueueError as error:
                sys.stderr.write(f"{error!r}\n")
            else:
                sys.stderr.write("accepted what it should not\n")
        try:
            declared.using(unique=f"one of {arguments['token']}").enqueue(**arguments)
        except EnqueueError as error:
            sys.stderr.write(f"{error!r}\n")
    sys.stdout.write(json.dumps(ids))
