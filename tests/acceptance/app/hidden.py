"""Tasks that are told secrets and say them everywhere they can."""

from __future__ import annotations

import asyncio
import html
import json
import logging
import os
import sys
import threading
import time
import urllib.parse
from typing import Any

from youtility_tasks import BadInput, NotReady, Pii, Retry, Secret, TaskContext, tasks_api
from youtility_tasks.registry import task

logger = logging.getLogger(__name__)


def tells(token: str, person: Any, *, prints: bool = True) -> None:
    """Print and log it in every way that people do."""
    if prints:
        print("token", token, person)  # noqa: T201
        sys.stderr.write(f"{token!r} {json.dumps(token)} {html.escape(token)} {token.encode()!r}\n")
    logger.debug("debug token=%s", token)
    logger.info("info person=%s", person, extra={"token": token, "person": person})
    logger.warning("url %s", urllib.parse.quote(token))
    logger.warning("its last line %s", token.splitlines()[-1])
    try:
        raise KeyError(token)
    except KeyError:
        logger.exception("caught")
    logger.error("stack", stack_info=True)
    thread = threading.Thread(target=lambda: logger.error("from a thread %s", token))
    thread.start()
    thread.join()


def ends(how: str, token: str, person: Any, attempt: int) -> Any:
    if how == "segfault":
        os.kill(os.getpid(), 11)
        time.sleep(60)  # the signal may reach another thread first
    if how == "exit":
        os._exit(3)
    if how == "retry" and attempt == 1:
        raise NotReady(f"not yet {token}")
    if how == "bad":
        raise BadInput(f"bad {token!r} {person}")
    if how == "bug":
        try:
            raise LookupError(person)
        except LookupError as error:
            error.add_note(token)
            raise ValueError(f"a bug {token}" + "." * 20_000 + token) from error
    return {"token": token, "nested": [person, {token: token.encode()}]}


@task(tenant="all", retry=Retry(2), takes_context=True, lock=lambda args: f"hidden {args['token']}")
def is_told(
    context: TaskContext,
    *,
    how: str,
    token: Secret[str],
    person: Pii[dict[str, Any]] | None = None,
    flood: bool = False,
    prints: bool = True,
) -> Any:
    tells(token, person, prints=prints)
    tells_result(context.task_result)
    if flood:
        sys.stdout.write(f"{token} " * 3_000)
    return ends(how, token, person, context.attempt)


@task(tenant="all", retry=Retry(2), takes_context=True)
async def is_told_async(
    context: TaskContext, *, how: str, token: Secret[str], person: Pii[dict[str, Any]] | None = None
) -> Any:
    await asyncio.sleep(0)
    tells(token, person)
    return ends(how, token, person, context.attempt)


@task(tenant="all")
def opens_old(*, token: Secret[str] | None = None, plain: Any = None) -> bool:
    return token is not None


def tells_result(result: Any) -> None:
    logger.debug("result args=%s kwargs=%s %r", result.args, result.kwargs, result)


def _told(sender: Any, task_result: Any, **kwargs: Any) -> None:
    if task_result.task.func.__module__ != __name__:
        return  # other tests' tasks say nothing here
    tells_result(task_result)


for signal in (tasks_api.task_enqueued, tasks_api.task_started, tasks_api.task_finished):
    signal.connect(_told, dispatch_uid=f"tests.hidden.{id(signal)}")
