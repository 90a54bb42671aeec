"""Whom code has for a caller that gets no scope: requests, sockets, tasks, threads."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import replace

import anyio
import anyio.lowlevel
import anyio.to_thread
import pytest

from asgi_auth import (
    ANONYMOUS,
    AuthenticationMiddleware,
    ConfigurationError,
    JWTBackend,
    ScopePolicy,
    current_principal,
)
from asgi_auth.tracking import track, tracked_scope
from tests import forge
from tests.asgi import Echo, bearer, converse, run

ADA = [bearer(forge.token(sub="ada"))]
BOB = [bearer(forge.token(sub="bob"))]


def tracked(app, **options):
    backend = JWTBackend(forge.verifier())
    return AuthenticationMiddleware(
        app, backend, scope_policy=ScopePolicy(track_current=True), **options
    )


class Asking(Echo):
    """Keeps who was calling, as code below it is told that gets no scope."""

    def __init__(self):
        super().__init__()
        self.seen = []

    async def __call__(self, scope, receive, send):
        self.seen.append(current_principal().subject)
        await super().__call__(scope, receive, send)


async def test_the_current_principal_is_who_calls():
    app = tracked(asking := Asking())
    await run(app, headers=ADA)
    await run(app)
    await converse(app, headers=ADA)
    assert asking.seen == ["ada", "", "ada"]
    assert asking.scopes[0]["auth"].subject == "ada"


def test_outside_of_a_request_nobody_is_current():
    with pytest.raises(ConfigurationError, match="track_current"):
        current_principal()


def test_the_current_principal_is_restored_after_an_exception():
    outer, inner = ({"auth": replace(ANONYMOUS, subject=name)} for name in "ab")
    with track(outer):
        with suppress(KeyError), track(inner):
            assert current_principal() is inner["auth"]
            raise KeyError

        assert current_principal() is outer["auth"]

    with pytest.raises(ConfigurationError):
        current_principal()


async def test_threads_and_tasks_have_the_caller_of_the_request_that_waits_for_them():
    seen = []

    def ask():
        seen.append(current_principal().subject)

    async def ask_later():
        await anyio.lowlevel.checkpoint()
        ask()

    async def app(scope, receive, send):
        await anyio.to_thread.run_sync(ask)
        async with anyio.create_task_group() as group:
            group.start_soon(ask_later)

        await Echo()(scope, receive, send)

    await run(tracked(app), headers=ADA)
    assert seen == ["ada", "ada"]


async def test_a_socket_that_changes_its_caller_has_the_new_one():
    seen = []

    async def app(scope, receive, send):
        scope["auth"] = replace(scope["auth"], subject="eve")  # As extend() does.
        seen.append(current_principal().subject)
        await Echo()(scope, receive, send)

    await converse(tracked(app), headers=ADA)
    assert seen == ["eve"]


@pytest.mark.parametrize("kind", ["lifespan", "webtransport"])
async def test_a_scope_without_a_caller_has_none_to_track(kind):
    asked = []

    async def app(scope, receive, send):
        with pytest.raises(ConfigurationError, match="serves no request"):
            current_principal()
        with pytest.raises(ConfigurationError, match="serves no request"):
            tracked_scope()

        asked.append(scope["type"])

    await tracked(app)({"type": kind}, None, None)
    assert asked == [kind]


class Queue:
    """Works for all its callers in one task, as Gradio's queue does.

    Args:
        starts_at: The type of the scope that starts the task.
    """

    def __init__(self, starts_at):
        self._starts_at = starts_at
        self._jobs = asyncio.Queue()
        self._task = None

    async def __call__(self, scope, receive, send):
        if self._task is None and scope["type"] == self._starts_at:
            self._task = asyncio.create_task(self._work())

        if scope["type"] == "lifespan":
            return

        done = asyncio.get_running_loop().create_future()
        await self._jobs.put(done)
        scope["answer"] = await done
        await Echo()(scope, receive, send)

    async def _work(self):
        while True:
            done = await self._jobs.get()
            try:
                done.set_result(current_principal().subject)
            except ConfigurationError as error:
                done.set_exception(error)

    async def stop(self):
        self._task.cancel()
        with suppress(asyncio.CancelledError):
            await self._task


@pytest.mark.parametrize("starts_at", ["lifespan", "http"])
async def test_a_queue_takes_nobodys_job_for_another_callers(starts_at):
    app = tracked(queue := Queue(starts_at))
    await app({"type": "lifespan"}, None, None)
    try:
        if starts_at == "http":
            await run(app, headers=ADA)

        with pytest.raises(ConfigurationError, match="Hand the principal over"):
            await run(app, headers=BOB)
    finally:
        await queue.stop()
