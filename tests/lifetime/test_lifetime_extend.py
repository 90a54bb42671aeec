"""New tokens for open sockets."""

from __future__ import annotations

import pytest

from asgi_auth import (
    ConfigurationError,
    ExpiredTokenError,
    InvalidTokenError,
    KeySet,
    Principal,
    TokenService,
)
from asgi_auth.lifetime import extend
from asgi_auth.lifetime.lifetime import Lifetime, lifetime_of
from asgi_auth.testing import FakeClock
from tests.asgi import websocket_scope
from tests.lifetime.lifetime_world import EXPIRED, REVOKED, Recorder
from tests.websocket.peer import SECRET, Peer, guarded, token_service

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


async def test_who_comes_while_others_hear_of_the_change_hears_of_it_too():
    heard = []

    class Guarded:
        guards = ()

    lifetime = Lifetime(Principal("ada"), None, None, None, Guarded())
    changed = Principal("ada", roles=frozenset({"guest"}))

    async def late(principal):
        heard.append(principal)

    async def first(_):
        lifetime.listeners.append(late)

    lifetime.listeners.append(first)
    await lifetime._change({}, changed, changed)
    assert heard == [changed]
