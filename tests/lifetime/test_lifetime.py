"""A WebSocket ends with its token or its session, whatever runs inside."""

from __future__ import annotations

import asyncio
import gc
import threading
import time
from weakref import ref

import anyio
import pytest

from asgi_auth import (
    AuthenticationMiddleware,
    BackendChain,
    ConfigurationError,
    ExpiredTokenError,
    InvalidTokenError,
    JWTBackend,
    KeySet,
    MemoryStore,
    SessionPolicy,
    TokenService,
    TokenVerifier,
    Tolerance,
)
from asgi_auth.lifetime import SocketClosedError, extend, lifetime_of
from asgi_auth.testing import FakeClock
from tests.asgi import websocket_scope
from tests.websocket.peer import SECRET, SOURCES, Peer, guarded, token_service, until

EXPIRED = (3000, "token_expired")
REVOKED = (3000, "token_revoked")


async def echo(scope, receive, send):
    """Say what is said; note what came."""
    scope["seen"] = seen = []
    while (message := await receive())["type"] != "websocket.disconnect":
        seen.append(message["type"])
        if message["type"] == "websocket.connect":
            await send({"type": "websocket.accept"})
        else:
            await send({"type": "websocket.send", "text": message["text"]})

    seen.append((message["code"], message.get("reason")))


class Recorder:
    """Keeps the scope that the app got."""

    def __init__(self, app=echo):
        self.app = app
        self.scope = None

    async def __call__(self, scope, receive, send):
        self.scope = scope
        await self.app(scope, receive, send)


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
    async with Peer(guarded(echo, tokens), token) as peer:
        assert await peer.closed() == EXPIRED

    assert 0 <= time.time() - ends_at < 0.1


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
    tokens = token_service(clock=clock, tolerance=Tolerance(leeway=30))
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


# ---------------------------------------------------------------- revocation


@pytest.mark.parametrize("how", ["session", "subject", "token", "all"])
async def test_revocation_closes_the_open_socket(how):
    tokens = token_service()
    pair = await tokens.issue("ann")
    other = await tokens.issue("bob")
    app = guarded(echo, tokens)
    async with (
        Peer(app, pair.access_token) as ann,
        Peer(app, other.access_token) as bob,
    ):
        sid = (await tokens.sessions("ann"))[0].sid
        await {
            "session": lambda: tokens.revoke_session(sid),
            "subject": lambda: tokens.revoke_subject("ann"),
            "token": lambda: tokens.revoke(pair.access_token),
            "all": tokens.revoke_all,
        }[how]()

        assert await ann.closed() == REVOKED
        await ann.ended()
        if how == "all":
            assert await bob.closed() == REVOKED
        else:
            await bob.say_text("still here")
            assert (await bob.next())["text"] == "still here"


async def test_a_token_without_a_session_ends_with_its_subject():
    tokens = token_service()
    async with Peer(guarded(echo, tokens), tokens.mint("ann")) as peer:
        await tokens.revoke_subject("ann")
        assert await peer.closed() == REVOKED


async def test_a_revocation_by_another_thread_closes_the_socket():
    tokens = token_service()
    pair = await tokens.issue("ann")
    async with Peer(guarded(echo, tokens), pair.access_token) as peer:
        thread = threading.Thread(
            target=lambda: asyncio.run(tokens.revoke_subject("ann"))
        )
        thread.start()
        assert await peer.closed() == REVOKED
        thread.join()


async def test_a_revocation_between_log_in_and_opening_is_not_missed():
    tokens = token_service()
    pair = await tokens.issue("ann")

    async def revoke_meanwhile(principal):
        await tokens.revoke_subject("ann")
        return principal.subject

    app = guarded(echo, tokens, load_user=revoke_meanwhile)
    peer = Peer(app, pair.access_token, denial=True)
    peer.start()
    first = await peer.next()

    assert first["status"] == 401
    await peer.ended()


async def test_open_sockets_alone_keep_the_revocations_coming():
    class Polled(MemoryStore):
        """A store that does not tell directly, like those of other machines."""

        subscribe = None

    tokens = token_service(store=Polled(), max_staleness=0.2)
    pair = await tokens.issue("ann")
    async with Peer(guarded(echo, tokens), pair.access_token) as peer:
        # Published past this process's own list, as by another one.
        sid = (await tokens.sessions("ann"))[0].sid
        other = token_service(store=tokens.store)
        began = time.monotonic()
        await other.revoke_session(sid)
        assert await peer.closed() == REVOKED
        assert time.monotonic() - began < 1

    await tokens.aclose()
    await other.aclose()


# ------------------------------------------------------------------- extend


async def test_a_new_token_extends_the_socket():
    clock = FakeClock()
    tokens = token_service(clock=clock)
    app = Recorder()
    async with Peer(guarded(app, tokens), tokens.mint("ann", ttl=60)) as peer:
        clock.advance(50)
        fresh = tokens.mint("ann", ttl=60, scopes=["more"])
        principal = await extend(app.scope, fresh)
        assert app.scope["auth"] is principal
        assert "more" in app.scope["auth"].scopes

        clock.advance(59)
        lifetime_of(app.scope).wait()
        assert await peer.silent()
        clock.advance(1)
        lifetime_of(app.scope).wait()
        assert await peer.closed() == EXPIRED


async def test_an_extended_socket_ends_with_its_new_session_only():
    tokens = token_service()
    first = await tokens.issue("ann")
    second = await tokens.issue("ann")
    one, two = [s.sid for s in await tokens.sessions("ann")]
    app = Recorder()
    async with Peer(guarded(app, tokens), first.access_token) as peer:
        await extend(app.scope, second.access_token)
        await tokens.revoke_session(one)
        await peer.say_text("still here")
        assert (await peer.next())["text"] == "still here"

        await tokens.revoke_session(two)
        assert await peer.closed() == REVOKED


async def test_a_bad_token_extends_nothing():
    clock = FakeClock()
    tokens = token_service(clock=clock)
    stranger = TokenService(
        KeySet.from_secret(SECRET[::-1]),
        issuer="https://issuer.example",
        audience="api",
        clock=clock,
    )
    app = Recorder()
    async with Peer(guarded(app, tokens), tokens.mint("ann", ttl=60)) as peer:
        before = app.scope["auth"]
        bad = {
            "somebody else's": tokens.mint("bob"),
            "forged": stranger.mint("ann"),
            "of another kind": tokens.mint("ann", kind="reset"),
            "no token": "x",
            "empty": "",
            "not ascii": "\u00e4",
            "huge": "a" * 100_000,
        }
        for name, token in bad.items():
            with pytest.raises(InvalidTokenError):
                await extend(app.scope, token)

            assert app.scope["auth"] is before, name

        stale = tokens.mint("ann", ttl=30)
        clock.advance(30)
        with pytest.raises(ExpiredTokenError):
            await extend(app.scope, stale)

        clock.advance(30)
        lifetime_of(app.scope).wait()
        assert await peer.closed() == EXPIRED


async def test_a_revoked_token_extends_nothing():
    tokens = token_service()
    pair = await tokens.issue("ann")
    other = await tokens.issue("ann")
    app = Recorder()
    async with Peer(guarded(app, tokens), pair.access_token):
        await tokens.revoke(other.refresh_token)
        with pytest.raises(InvalidTokenError):
            await extend(app.scope, other.access_token)


async def test_a_socket_of_nobody_cannot_become_somebodys():
    tokens = token_service()
    app = Recorder()
    async with Peer(guarded(app, tokens)):
        with pytest.raises(InvalidTokenError):
            await extend(app.scope, tokens.mint("ann"))


async def test_extending_asks_the_loader_of_users_again():
    tokens = token_service()
    gone = set()

    def load_user(principal):
        return None if principal.subject in gone else principal.subject

    app = Recorder()
    async with Peer(guarded(app, tokens, load_user=load_user), tokens.mint("ann")):
        gone.add("ann")
        with pytest.raises(InvalidTokenError):
            await extend(app.scope, tokens.mint("ann"))


async def test_extending_without_the_middleware_says_what_is_missing():
    with pytest.raises(ConfigurationError, match="AuthenticationMiddleware"):
        await extend(websocket_scope(), "a.b.c")


# ------------------------------------------------------------------- sessions


async def test_a_socket_may_live_as_long_as_its_session():
    clock = FakeClock()
    tokens = token_service(clock=clock, session_policy=SessionPolicy(refresh_ttl=3600))
    pair = await tokens.issue("ann")
    app = Recorder()
    middleware = guarded(app, tokens, websocket_lifetime="session")
    async with Peer(middleware, pair.access_token) as peer:
        lifetime = lifetime_of(app.scope)
        clock.advance(1000)  # The token has ended, the session goes on.
        lifetime.wait()
        await lifetime._lookup
        assert await peer.silent()

        clock.advance(2600)  # Nobody has refreshed.
        lifetime.wait()
        assert await peer.closed() == EXPIRED


async def test_a_session_that_is_refreshed_keeps_its_socket():
    clock = FakeClock()
    tokens = token_service(clock=clock, session_policy=SessionPolicy(refresh_ttl=3600))
    pair = await tokens.issue("ann")
    app = Recorder()
    middleware = guarded(app, tokens, websocket_lifetime="session")
    async with Peer(middleware, pair.access_token) as peer:
        lifetime = lifetime_of(app.scope)
        for _ in range(3):
            clock.advance(3000)
            pair = await tokens.refresh(pair.refresh_token)
            lifetime.wait()
            if lifetime._lookup is not None:
                await lifetime._lookup

        assert await peer.silent()
        await tokens.revoke(pair.refresh_token)
        assert await peer.closed() == REVOKED


async def test_an_outage_of_the_store_is_not_the_end_of_a_session():
    class Down(MemoryStore):
        down = False

        async def find(self, *args, **kwargs):
            if self.down:
                from asgi_auth import UnavailableError

                raise UnavailableError

            return await super().find(*args, **kwargs)

    clock = FakeClock()
    store = Down()
    tokens = token_service(clock=clock, store=store)
    pair = await tokens.issue("ann")
    app = Recorder()
    middleware = guarded(app, tokens, websocket_lifetime="session")
    async with Peer(middleware, pair.access_token) as peer:
        lifetime = lifetime_of(app.scope)
        store.down = True
        clock.advance(1000)
        lifetime.wait()
        await lifetime._lookup
        assert await peer.silent()

        clock.advance(30)
        lifetime.wait()
        await lifetime._lookup
        assert await peer.silent()

        clock.advance(60)
        lifetime.wait()
        assert await peer.closed() == (1013, "unavailable")


async def test_sessions_of_others_are_not_known_and_end_with_their_tokens(caplog):
    clock = FakeClock()
    tokens = token_service(clock=clock)
    verifier = TokenVerifier(
        tokens.keys, issuer=tokens.issuer, audience="api", clock=clock
    )
    app = Recorder()
    middleware = AuthenticationMiddleware(
        app, JWTBackend(verifier, sources=SOURCES), websocket_lifetime="session"
    )
    for _ in range(2):
        pair = await tokens.issue("ann")
        async with Peer(middleware, pair.access_token) as peer:
            clock.advance(1000)
            lifetime_of(app.scope).wait()
            assert await peer.closed() == EXPIRED

    (record,) = caplog.records
    assert "TokenService" in record.getMessage()


async def test_each_backend_of_a_chain_has_its_own_clock_and_revocations():
    clock = FakeClock(time.time() + 100)
    ours = token_service(clock=clock)
    theirs = TokenService(
        KeySet.from_secret(SECRET[::-1]), issuer="https://other.example", audience="api"
    )
    chain = BackendChain(
        JWTBackend(ours, sources=SOURCES, name="ours"),
        JWTBackend(theirs, sources=SOURCES, name="theirs"),
    )
    app = AuthenticationMiddleware(echo, chain)
    async with Peer(app, ours.mint("ann")) as ann, Peer(app, theirs.mint("ann")) as bob:
        await theirs.revoke_subject("ann")
        assert await bob.closed() == REVOKED
        assert await ann.silent()
        await ours.revoke_subject("ann")
        assert await ann.closed() == REVOKED


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
