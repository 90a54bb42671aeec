"""A WebSocket ends with its token or its session, whatever runs inside."""

from __future__ import annotations

import asyncio
import gc
import time
from weakref import ref

import anyio
import pytest

from asgi_auth import (
    Verification,
)
from asgi_auth.lifetime import SocketClosedError
from asgi_auth.lifetime.lifetime import lifetime_of
from asgi_auth.testing import FakeClock
from tests.lifetime.lifetime_world import EXPIRED, Recorder, echo
from tests.websocket.peer import Peer, guarded, token_service, until


async def test_an_idle_socket_is_closed_at_its_expiry():
    clock = FakeClock()
    tokens = token_service(clock=clock)
    app = Recorder()
    async with Peer(guarded(app, tokens), tokens.mint("ann", ttl=60)) as peer:
        clock.advance(60)
        lifetime_of(app.scope).wait()  # The timer's callback.

        assert await peer.closed() == EXPIRED
        await peer.ended()

    assert app.scope["seen"][-1] == EXPIRED


async def test_the_close_comes_within_100_ms_of_the_expiry():
    tokens = token_service()
    token = tokens.mint("ann", ttl=2)
    ends_at = (await tokens.verify(token))["exp"]
    # A timer beside it: where the machine is late, it is late for both.
    timer = asyncio.create_task(asyncio.sleep(ends_at - time.time(), ends_at))
    rung = asyncio.get_running_loop().create_future()
    timer.add_done_callback(lambda _: rung.set_result(time.time()))
    async with Peer(guarded(echo, tokens), token) as peer:
        assert await peer.closed() == EXPIRED

    closed_at = time.time()
    assert closed_at >= ends_at
    assert closed_at - max(ends_at, await rung) < 0.1


async def test_the_pending_receive_is_cancelled_before_the_close_is_sent():
    clock = FakeClock()
    tokens = token_service(clock=clock)
    app = Recorder()
    async with Peer(guarded(app, tokens), tokens.mint("ann", ttl=60)) as peer:
        await until(lambda: peer.log[-1] == "receive")
        clock.advance(60)
        lifetime_of(app.scope).wait()
        await peer.ended()

        assert peer.log[-2:] == ["cancelled", "websocket.close"]


async def test_the_timer_is_set_by_the_verifiers_clock():
    clock = FakeClock()
    tokens = token_service(clock=clock)
    app = Recorder()
    async with Peer(guarded(app, tokens), tokens.mint("ann", ttl=60)) as peer:
        lifetime = lifetime_of(app.scope)
        lifetime.wait()
        assert await peer.silent()
        assert lifetime in list(lifetime._deadlines)

        # A clock that was set back grants time; one that jumps ahead takes it.
        clock.advance(-3600)
        lifetime.wait()
        assert await peer.silent()
        clock.advance(2 * 3600)
        lifetime.wait()
        assert await peer.closed() == EXPIRED


async def test_leeway_stretches_the_life_of_a_socket():
    clock = FakeClock()
    tokens = token_service(clock=clock, verification=Verification(leeway=30))
    app = Recorder()
    async with Peer(guarded(app, tokens), tokens.mint("ann", ttl=60)) as peer:
        clock.advance(89)
        lifetime_of(app.scope).wait()
        assert await peer.silent()
        clock.advance(1)
        lifetime_of(app.scope).wait()
        assert await peer.closed() == EXPIRED


async def test_an_app_that_only_sends_is_closed_and_then_stumbles():
    ended = []

    async def push(scope, receive, send):
        await receive()
        await send({"type": "websocket.accept"})
        try:
            while True:
                await send({"type": "websocket.send", "text": "tick"})
                await asyncio.sleep(0.001)
        except OSError as error:
            ended.append(error)
            raise

    tokens = token_service(clock=(clock := FakeClock()))
    app = Recorder(push)
    peer = Peer(guarded(app, tokens), tokens.mint("ann", ttl=60))
    async with peer:
        clock.advance(60)
        lifetime_of(app.scope).wait()
        assert await peer.closed() == EXPIRED
        await peer.ended()

    assert isinstance(ended[0], SocketClosedError)
    assert (ended[0].close_code, ended[0].reason) == EXPIRED
    assert peer.sent[-1]["type"] == "websocket.close"


async def test_the_close_waits_for_a_send_that_is_under_way():
    stalled = asyncio.Event()

    async def push(scope, receive, send):
        await receive()
        await send({"type": "websocket.accept"})
        await stalled.wait()
        await send({"type": "websocket.send", "text": "large"})
        await receive()

    tokens = token_service(clock=(clock := FakeClock()))
    app = Recorder(push)
    async with Peer(guarded(app, tokens), tokens.mint("ann", ttl=60)) as peer:
        peer.reads.clear()
        stalled.set()
        await until(lambda: peer.log[-1] == "websocket.send")
        clock.advance(60)
        lifetime_of(app.scope).wait()
        await asyncio.sleep(0.02)
        assert peer.log[-1] == "websocket.send"
        peer.reads.set()
        assert await peer.closed() == EXPIRED


async def test_a_client_that_never_reads_does_not_hold_the_end_up():
    stalled = asyncio.Event()

    async def push(scope, receive, send):
        await receive()
        await send({"type": "websocket.accept"})
        await stalled.wait()
        await send({"type": "websocket.send", "text": "large"})

    tokens = token_service(clock=(clock := FakeClock()))
    app = Recorder(push)
    peer = Peer(guarded(app, tokens), tokens.mint("ann", ttl=60))
    async with peer:
        peer.reads.clear()
        stalled.set()
        await until(lambda: peer.log[-1] == "websocket.send")
        clock.advance(60)
        lifetime_of(app.scope).wait()
        await until(lambda: peer.log[-1] == "websocket.close")
        await peer.abort()
        peer.task = asyncio.create_task(asyncio.sleep(0))


async def test_an_app_that_ignores_the_disconnect_cannot_spin():
    calls = []

    async def deaf(scope, receive, send):
        await receive()
        await send({"type": "websocket.accept"})
        while True:
            calls.append(await receive())

    tokens = token_service(clock=(clock := FakeClock()))
    app = Recorder(deaf)
    async with Peer(guarded(app, tokens), tokens.mint("ann", ttl=60)) as peer:
        clock.advance(60)
        lifetime_of(app.scope).wait()
        await peer.ended()

    assert [call["type"] for call in calls] == ["websocket.disconnect"]


async def test_a_socket_that_is_not_accepted_yet_is_refused():
    go_on = asyncio.Event()

    async def slow(scope, receive, send):
        await receive()
        await go_on.wait()
        await send({"type": "websocket.accept"})

    tokens = token_service(clock=(clock := FakeClock()))
    app = Recorder(slow)
    peer = Peer(guarded(app, tokens), tokens.mint("ann", ttl=60), denial=True)
    peer.start()
    await until(lambda: app.scope is not None)
    clock.advance(60)
    lifetime_of(app.scope).wait()
    first = await peer.next()
    go_on.set()
    await peer.ended()

    assert (first["type"], first["status"]) == ("websocket.http.response.start", 401)
    kinds = [message["type"] for message in peer.sent]
    assert "websocket.accept" not in kinds


async def test_a_cancellation_by_somebody_else_stays_one():
    tokens = token_service(clock=(clock := FakeClock()))
    app = Recorder()
    peer = Peer(guarded(app, tokens), tokens.mint("ann", ttl=60))
    async with peer:
        await until(lambda: peer.log[-1] == "receive")
        clock.advance(60)
        lifetime_of(app.scope).wait()
        peer.task.cancel()  # In the same moment: the server shuts down.
        with pytest.raises(asyncio.CancelledError):
            await peer.task

        assert peer.task.cancelled()
        peer.task = asyncio.create_task(asyncio.sleep(0))


async def test_a_timeout_of_the_app_around_receive_still_works():
    timeouts = []

    async def impatient(scope, receive, send):
        await receive()
        await send({"type": "websocket.accept"})
        while True:
            try:
                async with asyncio.timeout(0.01):
                    message = await receive()
            except TimeoutError:
                timeouts.append(1)
                continue

            if message["type"] == "websocket.disconnect":
                return

    tokens = token_service(clock=(clock := FakeClock()))
    app = Recorder(impatient)
    async with Peer(guarded(app, tokens), tokens.mint("ann", ttl=60)) as peer:
        await until(lambda: len(timeouts) > 2)
        clock.advance(60)
        lifetime_of(app.scope).wait()
        assert await peer.closed() == EXPIRED
        await peer.ended()
        assert peer.task.cancelling() == 0


async def test_cancel_scopes_of_anyio_around_receive_still_work():
    async def scoped(scope, receive, send):
        await receive()
        await send({"type": "websocket.accept"})
        async with anyio.create_task_group() as group:

            async def read():
                while (await receive())["type"] != "websocket.disconnect":
                    pass

                group.cancel_scope.cancel()

            group.start_soon(read)
            await anyio.sleep_forever()

    tokens = token_service(clock=(clock := FakeClock()))
    app = Recorder(scoped)
    async with Peer(guarded(app, tokens), tokens.mint("ann", ttl=60)) as peer:
        await asyncio.sleep(0.01)
        clock.advance(60)
        lifetime_of(app.scope).wait()
        assert await peer.closed() == EXPIRED
        await peer.ended()


async def test_a_client_that_has_left_is_not_closed_again():
    lingering = asyncio.Event()

    async def linger(scope, receive, send):
        await receive()
        await send({"type": "websocket.accept"})
        await receive()
        await lingering.wait()

    tokens = token_service(clock=(clock := FakeClock()))
    app = Recorder(linger)
    peer = Peer(guarded(app, tokens), tokens.mint("ann", ttl=60))
    async with peer:
        peer.incoming.put_nowait({"type": "websocket.disconnect", "code": 1001})
        await until(peer.incoming.empty)
        clock.advance(60)
        lifetime_of(app.scope).wait()
        assert await peer.silent()
        lingering.set()
        await peer.ended()

    assert peer.sent[-1]["type"] == "websocket.accept"


async def test_a_socket_that_the_app_has_closed_is_not_closed_again():
    lingering = asyncio.Event()

    async def quit_early(scope, receive, send):
        await receive()
        await send({"type": "websocket.accept"})
        await send({"type": "websocket.close", "code": 1000})
        await lingering.wait()

    tokens = token_service(clock=(clock := FakeClock()))
    app = Recorder(quit_early)
    async with Peer(guarded(app, tokens), tokens.mint("ann", ttl=60)) as peer:
        assert await peer.closed() == (1000, "")
        clock.advance(60)
        lifetime_of(app.scope).wait()
        assert await peer.silent()
        lingering.set()
        await peer.ended()


# ------------------------------------------------------------ nothing is left


def handles(loop):
    return [h for h in getattr(loop, "_scheduled", ()) if not h._cancelled]


@pytest.mark.parametrize("count", [300, pytest.param(10_000, marks=pytest.mark.slow)])
async def test_sockets_that_come_and_go_leave_nothing_behind(count):
    tokens = token_service()
    good, bad = tokens.mint("ann"), tokens.mint("ann")[:-2] + "AA"
    middleware = guarded(echo, tokens)
    loop = asyncio.get_running_loop()
    earlier = {*handles(loop)}
    tasks = len(asyncio.all_tasks())
    for _ in range(count):
        async with Peer(middleware, good):
            pass

        peer = Peer(middleware, bad)
        peer.start()
        assert (await peer.next())["type"] == "websocket.close"
        await peer.ended()

    await asyncio.sleep(0)
    gc.collect()
    # One timer and one listener for all of them, which wait for those who may come.
    assert len(asyncio.all_tasks()) == tasks
    assert len(tokens.revocations._listeners) == 1
    (timer,) = {*handles(loop)} - earlier
    timer._run()
    assert not tokens.revocations._listeners
    assert {*handles(loop)} == earlier | {timer}


async def test_a_server_that_shuts_down_leaves_nothing_behind():
    tokens = token_service()
    app = Recorder()
    peer = Peer(guarded(app, tokens), tokens.mint("ann"))
    async with peer:
        deadlines = lifetime_of(app.scope)._deadlines
        assert len(deadlines) == 1
        await peer.abort()
        peer.task = asyncio.create_task(asyncio.sleep(0))

    assert len(deadlines) == 0


def test_a_loop_that_has_ended_is_not_remembered():
    tokens = token_service()
    app = guarded(echo, tokens)

    async def serve():
        async with Peer(app, tokens.mint("ann")):
            return ref(asyncio.get_running_loop())

    loops = [asyncio.run(serve()) for _ in range(3)]
    gc.collect()
    assert [loop() for loop in loops] == [None, None, None]

    # Who listened for them notices at the next word.
    asyncio.run(tokens.revoke_subject("ann"))
    assert not tokens.revocations._listeners
