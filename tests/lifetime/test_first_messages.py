"""A WebSocket of nobody becomes somebody's by a message, and is theirs from then on."""

from __future__ import annotations

import asyncio
import copy

import pytest

from asgi_auth import (
    AuthenticationError,
    ConfigurationError,
    ExpiredTokenError,
    InsufficientScopeError,
    InvalidTokenError,
    extend,
    get_principal,
    get_user,
    identify,
    requires,
)
from asgi_auth.lifetime.lifetime import lifetime_of
from asgi_auth.lifetime.stranger import stranger_of
from asgi_auth.testing import FakeClock
from asgi_auth.websocket import FirstMessages
from tests.asgi import http_scope, run
from tests.lifetime.lifetime_world import EXPIRED, REVOKED, Recorder
from tests.websocket.peer import Peer, guarded, token_service, until

UNIDENTIFIED = (3000, "unauthenticated")


async def first_message(scope, receive, send):
    """Take each text for a token; say who it names, and who may read."""
    await receive()
    await send({"type": "websocket.accept"})
    routed = {**scope}  # As routers do.
    while (message := await receive())["type"] != "websocket.disconnect":
        try:
            await identify(routed, message["text"])
            await requires("read").verify(routed)
            text = get_principal(scope).subject
        except InvalidTokenError as error:
            text = error.code
        except InsufficientScopeError as error:
            text = error.code
        await send({"type": "websocket.send", "text": text})


async def say(peer, text):
    await peer.say_text(text)
    return (await peer.next())["text"]


async def test_a_message_says_whose_the_socket_is():
    tokens = token_service()
    app = Recorder(first_message)

    async def load_user(principal):
        return f"user {principal.subject}"

    async with Peer(guarded(app, tokens, load_user=load_user)) as peer:
        assert not get_principal(app.scope).is_authenticated
        assert lifetime_of(app.scope) is None
        with pytest.raises(AuthenticationError):
            await requires().verify(app.scope)

        assert await say(peer, tokens.mint("ann", scopes=["read"])) == "ann"
        principal = get_principal(app.scope)
        assert (principal.subject, principal.source) == ("ann", "message")
        assert get_user(app.scope) == "user ann"
        assert lifetime_of(app.scope) is not None
        assert get_principal(copy.copy(app.scope)) is principal


async def test_guards_hold_from_then_on():
    tokens = token_service()
    async with Peer(guarded(first_message, tokens)) as peer:
        assert await say(peer, tokens.mint("ann")) == "insufficient_scope"
        assert await say(peer, tokens.mint("ann", scopes=["read"])) == "ann"


async def test_the_socket_ends_with_the_token_of_its_message():
    clock = FakeClock()
    tokens = token_service(clock=clock)
    app = Recorder(first_message)
    async with Peer(guarded(app, tokens)) as peer:
        await say(peer, tokens.mint("ann", ttl=60, scopes=["read"]))
        clock.advance(60)
        lifetime_of(app.scope).wait()
        assert await peer.closed() == EXPIRED
        await peer.ended()


async def test_the_socket_ends_with_a_log_out():
    tokens = token_service()
    async with Peer(guarded(first_message, tokens)) as peer:
        await say(peer, tokens.mint("ann", scopes=["read"]))
        await tokens.revoke_subject("ann")
        assert await peer.closed() == REVOKED
        await peer.ended()


async def test_a_second_message_prolongs_and_never_makes_it_somebody_elses():
    clock = FakeClock()
    tokens = token_service(clock=clock)
    app = Recorder(first_message)
    async with Peer(guarded(app, tokens)) as peer:
        first = tokens.mint("ann", ttl=60, scopes=["read"])
        assert await say(peer, first) == "ann"
        assert await say(peer, tokens.mint("bob", scopes=["read"])) == "invalid_token"
        assert get_principal(app.scope).subject == "ann"
        longer = tokens.mint("ann", ttl=600, scopes=["read"])
        assert await say(peer, longer) == "ann"
        await extend(app.scope, longer)
        clock.advance(60)
        lifetime_of(app.scope).wait()
        assert await peer.silent()


async def test_two_messages_at_once_name_one_caller():
    tokens = token_service()
    app = Recorder(first_message)

    async def load_user(principal):
        await asyncio.sleep(0.01)
        return principal

    async with Peer(guarded(app, tokens, load_user=load_user)) as peer:
        named = await asyncio.gather(
            *(identify(app.scope, tokens.mint(name)) for name in ("ann", "bob")),
            return_exceptions=True,
        )
        assert named[0].subject == "ann"
        assert isinstance(named[1], InvalidTokenError)
        assert await peer.silent()


async def test_a_socket_that_is_over_becomes_nobodys():
    tokens = token_service()
    app = Recorder(first_message)
    async with Peer(guarded(app, tokens)) as peer:
        scope = app.scope
        stranger = stranger_of(scope)
        stranger.end(ExpiredTokenError())
        await peer.closed()
        with pytest.raises(ExpiredTokenError):
            await identify(scope, tokens.mint("ann"))
        await peer.ended()


async def test_the_fifth_bad_token_closes_the_socket():
    tokens = token_service()
    async with Peer(guarded(first_message, tokens)) as peer:
        for bad in ("", "x", "a.b.c", "x" * 9000):
            assert await say(peer, bad) == "invalid_token"
        await peer.say_text("é")
        assert await peer.closed() == (3000, "invalid_token")
        await peer.ended()


@pytest.mark.parametrize("place", ["request", "bare"])
async def test_only_open_sockets_under_the_middleware_become_somebodys(place):
    tokens = token_service()
    raised = []

    async def app(scope, receive, send):
        with pytest.raises(ConfigurationError) as error:
            await identify(scope, tokens.mint("ann"))
        raised.append(error)
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    if place == "bare":
        with pytest.raises(ConfigurationError):
            await identify({"type": "websocket"}, "x")
        return

    await run(guarded(app, tokens))
    assert raised


async def test_an_app_that_raises_for_the_close_is_no_fault():
    tokens = token_service()

    async def push(scope, receive, send):
        await receive()
        await send({"type": "websocket.accept"})
        await identify(scope, tokens.mint("ann"))
        await tokens.revoke_subject("ann")
        while True:
            await send({"type": "websocket.send", "text": "tick"})
            await asyncio.sleep(0.001)

    async with Peer(guarded(push, tokens)) as peer:
        assert await peer.closed() == REVOKED
        await peer.ended()


# Those that never say whose they are


async def test_a_socket_that_never_says_whose_it_is_is_closed():
    tokens = token_service()
    app = guarded(FirstMessages(first_message, within=0.05), tokens)
    async with Peer(app) as silent, Peer(app) as known:
        assert await say(known, tokens.mint("ann", scopes=["read"])) == "ann"
        assert await silent.closed() == UNIDENTIFIED
        await silent.ended()
        await asyncio.sleep(0.05)
        assert await known.silent()


async def test_a_bad_token_does_not_stop_the_clock():
    tokens = token_service()
    app = guarded(FirstMessages(first_message, within=0.1), tokens)
    async with Peer(app) as peer:
        assert await say(peer, "x") == "invalid_token"
        assert await peer.closed() == UNIDENTIFIED
        await peer.ended()


async def test_an_address_has_a_few_sockets_of_nobody():
    tokens = token_service()
    app = guarded(FirstMessages(first_message, per_address=2), tokens)
    async with Peer(app) as one, Peer(app):
        third = Peer(app)
        third.start()
        assert (await third.next())["type"] == "websocket.close"
        await third.ended()
        async with Peer(app, client=("203.0.113.9", 1)):
            pass

        # Who says who it is makes room, and known callers are not counted.
        await say(one, tokens.mint("ann", scopes=["read"]))
        async with Peer(app), Peer(app, tokens.mint("bob")):
            pass

    async with Peer(app), Peer(app):
        pass


async def test_an_address_of_ipv6_is_a_network():
    app = guarded(FirstMessages(first_message, per_address=1), token_service())
    async with Peer(app, client=("2001:db8::1", 1)):
        other = Peer(app, client=("2001:db8::2", 1), denial=True)
        other.start()
        refusal = await other.next()
        assert refusal["type"] == "websocket.http.response.start"
        assert refusal["status"] == 429
        await other.ended()


async def test_what_is_no_socket_of_nobody_passes():
    tokens = token_service()
    seen = []

    async def app(scope, receive, send):
        seen.append(scope["type"])
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    wrapped = FirstMessages(app)
    await run(guarded(wrapped, tokens))
    await run(wrapped)
    assert seen == ["http", "http"]
    assert http_scope()["type"] == "http"


async def test_counters_of_addresses_are_given_back():
    app = FirstMessages(first_message)
    for number in range(3):
        async with Peer(
            guarded(app, token_service()), client=(f"203.0.113.{number}", 1)
        ):
            assert len(app._count) == 1
        await until(lambda: not app._count)


@pytest.mark.parametrize("options", [{"within": 0}, {"per_address": 0}])
def test_a_bound_lets_something_through(options):
    with pytest.raises(ConfigurationError):
        FirstMessages(first_message, **options)
