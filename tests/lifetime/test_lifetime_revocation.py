"""Revocations and sessions of open sockets."""

from __future__ import annotations

import asyncio
import threading
import time

import pytest

from asgi_auth import (
    AuthenticationMiddleware,
    BackendChain,
    ConnectionPolicy,
    JWTBackend,
    KeySet,
    MemoryStore,
    SessionPolicy,
    TokenService,
    TokenVerifier,
)
from asgi_auth.lifetime.lifetime import lifetime_of
from asgi_auth.testing import FakeClock
from tests.lifetime.lifetime_world import EXPIRED, REVOKED, Recorder, echo
from tests.websocket.peer import SECRET, SOURCES, Peer, guarded, token_service

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

    tokens = token_service(
        store=Polled(), session_policy=SessionPolicy(max_staleness=0.2)
    )
    pair = await tokens.issue("ann")
    async with Peer(guarded(echo, tokens), pair.access_token) as peer:
        # Published past this process's own list, as by another one.
        sid = (await tokens.sessions("ann"))[0].sid
        other = token_service(store=tokens.store)
        began = time.monotonic()
        await other.revoke_session(sid)
        assert await peer.closed() == REVOKED
        assert time.monotonic() - began < 10

    await tokens.aclose()
    await other.aclose()


# ------------------------------------------------------------------- sessions


async def test_a_socket_may_live_as_long_as_its_session():
    clock = FakeClock()
    tokens = token_service(clock=clock, session_policy=SessionPolicy(refresh_ttl=3600))
    pair = await tokens.issue("ann")
    app = Recorder()
    middleware = guarded(
        app, tokens, connection_policy=ConnectionPolicy(websockets="session")
    )
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
    middleware = guarded(
        app, tokens, connection_policy=ConnectionPolicy(websockets="session")
    )
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
    middleware = guarded(
        app, tokens, connection_policy=ConnectionPolicy(websockets="session")
    )
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
        app,
        JWTBackend(verifier, sources=SOURCES),
        connection_policy=ConnectionPolicy(websockets="session"),
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
