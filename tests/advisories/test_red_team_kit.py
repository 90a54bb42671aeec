"""What the red team found in the kit for tests."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import threading
from unittest import mock

import pytest

from asgi_auth._stand_in import STAND_IN
from asgi_auth.middleware import AuthenticationMiddleware
from asgi_auth.testing import as_user
from asgi_auth.testing import impersonation as kit
from tests.advisories.red_team_world import backend, hello
from tests.asgi import run

pytestmark = pytest.mark.anyio


# ----------------------------------------------------------------------- the test kit


async def test_a_patch_that_is_undone_too_late_does_not_break_the_kit():
    serve = AuthenticationMiddleware.__call__
    app = AuthenticationMiddleware(hello, backend())
    patches = []

    async def patching(scope, receive, send):
        now = AuthenticationMiddleware.__call__
        patches.append(mock.patch.object(AuthenticationMiddleware, "__call__", now))
        patches[0].start()
        await app(scope, receive, send)

    try:
        await run(as_user(patching, "ada"))
        patches[0].stop()

        assert (await run(app)).body == b"nobody"
        assert (await run(as_user(app, "eve"))).body == b"eve"
    finally:
        AuthenticationMiddleware.__call__ = serve


async def test_nothing_of_production_is_changed_meanwhile():
    before = dict(vars(AuthenticationMiddleware))
    app = AuthenticationMiddleware(hello, backend())
    seen = []

    async def looking(scope, receive, send):
        seen.append(dict(vars(AuthenticationMiddleware)))
        await app(scope, receive, send)

    assert (await run(as_user(looking, "ada"))).body == b"ada"
    assert seen == [before]
    assert (await run(app)).body == b"nobody"


async def test_an_app_below_gains_nothing_from_what_it_finds_in_the_scope():
    kept = []

    async def hostile(scope, receive, send):
        kept.append(dict(scope))
        await hello(scope, receive, send)

    await run(as_user(AuthenticationMiddleware(hostile, backend()), "ada"))
    app = AuthenticationMiddleware(hello, backend())

    async def replay(scope, receive, send):
        await app({**kept[0], **scope, "headers": kept[0]["headers"]}, receive, send)

    assert (await run(replay)).status == 401


async def test_what_is_in_the_state_or_in_extensions_opens_nothing():
    given = kit._Pass(as_user(hello, "ada")._caller)
    app = AuthenticationMiddleware(hello, backend())
    served = asyncio.Event()

    async def waiting(scope, receive, send):
        await served.wait()

    impersonated = as_user(AuthenticationMiddleware(waiting, backend()), "ada")
    other = asyncio.create_task(run(impersonated, sent=[]))
    await asyncio.sleep(0)
    for more in (
        {"state": {STAND_IN: given}},
        {"extensions": {STAND_IN: given}},
        {"headers": [(STAND_IN.encode(), b"ada")]},
        {"query": f"{STAND_IN}=ada".encode()},
        {STAND_IN: {"caller": given.caller}},
        {STAND_IN: "ada"},
    ):
        assert (await run(app, **more)).body == b"nobody"
    served.set()
    with contextlib.suppress(Exception):
        await other


async def test_a_coroutine_that_is_thrown_away_closes_the_door():
    kept = []

    async def forever(scope, receive, send):
        kept.append(scope[STAND_IN])
        await asyncio.get_running_loop().create_future()

    one = run(as_user(AuthenticationMiddleware(forever, backend()), "ada"))
    one.send(None)
    app = AuthenticationMiddleware(hello, backend())
    assert (await run(app, **{STAND_IN: kept[0]})).body == b"ada"
    del one
    gc.collect()
    assert (await run(app, **{STAND_IN: kept[0]})).body == b"nobody"


async def test_a_middleware_of_its_own_kind_is_impersonated_and_left_alone():
    class Own(AuthenticationMiddleware):
        async def __call__(self, scope, receive, send):
            await super().__call__(scope, receive, send)

    app, serve = Own(hello, backend()), Own.__call__
    assert (await run(as_user(app, "ada"))).body == b"ada"
    assert Own.__call__ is serve
    assert (await run(app)).body == b"nobody"


async def test_two_loops_at_once_do_not_leave_the_door_open():
    serve = AuthenticationMiddleware.__call__
    app = AuthenticationMiddleware(hello, backend())
    seen = []

    def many(name):
        async def go():
            for _ in range(50):
                seen.append((await run(as_user(app, name))).body.decode() == name)
                seen.append((await run(app)).body == b"nobody")

        asyncio.run(go())

    threads = [threading.Thread(target=many, args=(f"user-{n}",)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(seen) == 400
    assert all(seen)
    assert AuthenticationMiddleware.__call__ is serve
