"""A socket does not outlive the right that it was opened with."""

from __future__ import annotations

import asyncio
import copy
import pickle

import pytest

from asgi_auth import (
    AuthenticationMiddleware,
    AuthError,
    BackendChain,
    BearerHeader,
    ConnectionPolicy,
    Cookie,
    Grant,
    Header,
    InsufficientScopeError,
    InvalidTokenError,
    JWTBackend,
    Principal,
    policy,
    requires,
)
from asgi_auth.backends.apikey import APIKeyBackend
from asgi_auth.backends.apikeys.memory import MemoryAPIKeys
from asgi_auth.backends.apikeys.service import APIKeys
from asgi_auth.lifetime import extend
from asgi_auth.lifetime.lifetime import lifetime_of
from asgi_auth.revocation.validity import Validity, validity_of
from asgi_auth.testing import FakeClock
from asgi_auth.websocket import Rooms, WebSocketEndpoint
from tests.advisories import demoted_app
from tests.asgi import Echo, run
from tests.lifetime.lifetime_world import EXPIRED, REVOKED, Recorder, echo
from tests.servers.running import GRANIAN, HYPERCORN, UVICORN, running
from tests.websocket.peer import SOURCES, Peer, guarded, token_service

FORBIDDEN = (3003, "insufficient_scope")


@policy
async def not_banned(principal, scope):
    await asyncio.sleep(0)
    return "banned" not in principal.roles


GUARDS = {
    "role": requires(roles="editor"),
    "scope": requires("write"),
    "async policy": requires(policy=not_banned),
}
GOOD = {"roles": ["editor"], "scopes": ["write"]}
BAD = {
    "role": {"roles": ["reader"], "scopes": ["write"]},
    "scope": {"roles": ["editor"], "scopes": ["read"]},
    "async policy": {"roles": ["editor", "banned"], "scopes": ["write"]},
}


@pytest.mark.parametrize("kind", GUARDS)
async def test_a_socket_that_is_extended_without_the_right_is_closed(kind):
    tokens = token_service()
    recorder = Recorder()
    app = guarded(GUARDS[kind](recorder), tokens)
    async with Peer(app, tokens.mint("ann", **GOOD)) as peer:
        scope = recorder.scope
        assert (await extend(scope, tokens.mint("ann", **GOOD))).subject == "ann"
        assert await peer.silent()

        before = scope["auth"]
        with pytest.raises(AuthError) as refused:
            await extend(scope, tokens.mint("ann", **BAD[kind]))
        assert refused.value.status == 403
        assert scope["auth"] is before
        code, _ = await peer.closed()
        assert code == 3003


async def test_a_guard_on_the_handler_is_asked_again_too():
    tokens = token_service()
    scopes = []

    @requires(roles="editor")
    async def handler(socket):
        scopes.append(socket.scope)
        await echo(socket.scope, socket.receive, socket.send)

    async def app(scope, receive, send):
        class Socket:
            pass

        socket = Socket()
        socket.scope, socket.receive, socket.send = scope, receive, send
        await handler(socket)

    async with Peer(guarded(app, tokens), tokens.mint("ann", **GOOD)) as peer:
        with pytest.raises(InsufficientScopeError):
            await extend(scopes[0], tokens.mint("ann", roles=["reader"]))
        assert await peer.closed() == FORBIDDEN


async def test_what_is_asked_about_a_message_is_no_guard_of_the_socket():
    tokens = token_service()
    guard = requires(roles="admin")
    recorder = Recorder()

    async def app(scope, receive, send):
        await receive()
        await send({"type": "websocket.accept"})
        recorder.scope = scope
        await receive()
        guard.check(scope)
        await send({"type": "websocket.send", "text": '"done"'})
        await receive()

    async with Peer(guarded(app, tokens), tokens.mint("ann", roles=["admin"])) as peer:
        await peer.say("delete")
        assert await peer.hear() == "done"
        await extend(recorder.scope, tokens.mint("ann"))
        assert await peer.silent()


# ------------------------------------------------------------------- sessions


async def test_a_session_that_is_renewed_with_less_closes_its_socket():
    clock, grants = FakeClock(), {"ann": Grant(roles=["editor"])}
    tokens = token_service(clock=clock, claims_loader=grants.get)
    pair = await tokens.issue("ann", roles=["editor"])
    recorder = Recorder()
    app = requires(roles="editor")(recorder)
    app = guarded(app, tokens, connection_policy=ConnectionPolicy(websockets="session"))
    async with Peer(app, pair.access_token) as peer:
        lifetime = lifetime_of(recorder.scope)

        async def renew():
            clock.advance(1000)
            lifetime.wait()
            await lifetime._lookup

        await renew()
        assert await peer.silent()
        grants["ann"] = Grant(roles=["editor", "poet"], claims={"team": "red"})
        clock.advance(700_000)
        # Nobody has refreshed meanwhile: this is the idle end of the session.
        lifetime.wait()
        await asyncio.gather(lifetime._lookup, return_exceptions=True)
        assert await peer.closed() == EXPIRED

    pair = await tokens.issue("ann", roles=["editor"])
    async with Peer(app, pair.access_token) as peer:
        lifetime = lifetime_of(recorder.scope)
        clock.advance(1000)
        lifetime.wait()
        await lifetime._lookup
        assert recorder.scope["auth"].roles == {"editor", "poet"}
        assert recorder.scope["user"] is recorder.scope["auth"]
        assert recorder.scope["auth"].claims["team"] == "red"
        lifetime._deadline = 0
        grants["ann"] = Grant(roles=["reader"])
        lifetime.wait()
        await lifetime._lookup
        assert await peer.closed() == FORBIDDEN


async def test_a_user_who_is_gone_loses_the_socket_at_the_renewal():
    clock, grants = FakeClock(), {"ann": Grant()}
    tokens = token_service(clock=clock, claims_loader=grants.get)
    pair = await tokens.issue("ann")
    recorder = Recorder()
    app = guarded(
        recorder, tokens, connection_policy=ConnectionPolicy(websockets="session")
    )
    async with Peer(app, pair.access_token) as peer:
        del grants["ann"]
        clock.advance(1000)
        lifetime_of(recorder.scope).wait()
        code, _ = await peer.closed()
        assert code == 3000
    assert await tokens.sessions("ann") == []


# ----------------------------------------------------------------------- rooms


async def test_who_may_not_be_in_a_room_any_more_leaves_it():
    def may_join(principal, room):
        return room in principal.roles

    class Chat(WebSocketEndpoint):
        async def on_message(self, websocket, user_id, message):
            await self.rooms.join(websocket, message["room"])
            await websocket.send({"joined": message["room"]})

    tokens = token_service()
    rooms = Rooms(may_join=may_join)
    app = guarded(Chat(rooms=rooms), tokens)
    both = {"roles": ["tea", "coffee"]}
    async with Peer(app, tokens.mint("ann", **both)) as ann:
        for room in ("tea", "coffee"):
            await ann.say({"room": room})
            assert await ann.hear() == {"joined": room}

        await ann.say({"type": "auth", "token": tokens.mint("ann", **both)})
        assert (await ann.hear())["ok"]
        await ann.say({"type": "auth", "token": tokens.mint("ann", roles=["tea"])})
        assert await ann.closed() == (3003, "forbidden_room")
        assert rooms.members("coffee") == rooms.members("tea") == []


# ---------------------------------------------------------------------- real servers

MODULE = "tests.advisories.demoted_app:app"
COMMANDS = {
    "uvicorn": [*UVICORN, MODULE],
    "hypercorn": [*HYPERCORN, MODULE],
    "granian": [*GRANIAN, MODULE],
}


@pytest.mark.parametrize("server", sorted(COMMANDS))
def test_who_lost_a_role_loses_the_socket_on_a_real_server(server):
    from websockets.exceptions import ConnectionClosed
    from websockets.sync.client import connect

    mint = demoted_app.tokens.mint
    with running(server, COMMANDS[server]) as serving:
        url = f"ws://127.0.0.1:{serving.port}/?token={mint('ann', scopes=['write'])}"
        with connect(url, proxy=None, open_timeout=20) as socket:
            socket.send(mint("ann", scopes=["write", "read"]))
            assert socket.recv(timeout=20) == "extended"
            socket.send(mint("eve", scopes=["write"]))
            assert socket.recv(timeout=20) == "invalid_token"
            socket.send(mint("ann", scopes=["read"]))
            with pytest.raises(ConnectionClosed) as closed:
                socket.recv(timeout=20)

        assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (
            3003,
            "insufficient_scope",
        )


# -------------------------------------------------------------------- API keys


async def test_the_socket_of_a_revoked_key_is_closed():
    clock = FakeClock()
    keys = APIKeys(MemoryAPIKeys(), clock=clock)
    made = await keys.generate("robot", scopes=["read"])
    recorder = Recorder()
    backend = APIKeyBackend(keys, sources=(Header("X-API-Key"),))
    app = AuthenticationMiddleware(recorder, backend)
    headers = [(b"x-api-key", made.text.encode())]
    async with Peer(app, headers=headers) as peer:
        lifetime = lifetime_of(recorder.scope)
        for _ in range(3):
            clock.advance(5)
            lifetime.wait()
            await lifetime._lookup
            assert await peer.silent()

        await keys.revoke(made.record.id)
        clock.advance(5)
        lifetime.wait()
        assert await peer.closed() == REVOKED


async def test_the_socket_of_a_key_ends_with_it():
    clock = FakeClock()
    keys = APIKeys(MemoryAPIKeys(), clock=clock)
    made = await keys.generate("robot", ttl=60)
    recorder = Recorder()
    backend = APIKeyBackend(keys, sources=(Header("X-API-Key"),))
    headers = [(b"x-api-key", made.text.encode())]
    async with Peer(
        AuthenticationMiddleware(recorder, backend), headers=headers
    ) as peer:
        clock.advance(61)
        lifetime_of(recorder.scope).wait()
        assert await peer.closed() == EXPIRED


# ------------------------------------------------------------ somebody's backend


class Logging:
    """Wraps a backend, by the protocol alone."""

    def __init__(self, inner):
        self.inner = inner
        self.name, self.sources = inner.name, inner.sources
        self.challenges = inner.challenges
        self.seen = []

    async def authenticate(self, credential, scope):
        principal = await self.inner.authenticate(credential, scope)
        self.seen.append(principal)
        return principal

    def claims(self, credential):
        return self.inner.claims(credential)


@pytest.mark.parametrize("wrap", [Logging, lambda b: BackendChain(Logging(b))])
async def test_a_socket_behind_a_wrapped_backend_ends_with_its_session(wrap):
    clock = FakeClock()
    tokens = token_service(clock=clock)
    backend = wrap(JWTBackend(tokens, sources=SOURCES))
    for lifetime in ("token", "session"):
        recorder = Recorder()
        app = AuthenticationMiddleware(
            recorder, backend, connection_policy=ConnectionPolicy(websockets=lifetime)
        )
        pair = await tokens.issue("ann")
        async with Peer(app, pair.access_token) as peer:
            await tokens.revoke(pair.refresh_token)
            assert await peer.closed() == REVOKED

    pair = await tokens.issue("ann")
    app = AuthenticationMiddleware(
        recorder, backend, connection_policy=ConnectionPolicy(websockets="session")
    )
    async with Peer(app, pair.access_token) as peer:
        clock.advance(1000)
        lifetime_of(recorder.scope).wait()
        await lifetime_of(recorder.scope)._lookup
        assert await peer.silent()


class Forwarding:
    """Hands on whatever the inner backend has, and refuses everybody."""

    def __init__(self, inner):
        self.inner = inner

    def __getattr__(self, name):
        return getattr(self.inner, name)

    async def authenticate(self, credential, scope):
        raise InvalidTokenError

    def claims(self, credential):
        return self.inner.claims(credential)


@pytest.mark.parametrize("source", [BearerHeader(), Cookie("access")])
@pytest.mark.parametrize("wrap", [Forwarding, lambda b: BackendChain(Forwarding(b))])
async def test_no_quicker_way_of_another_goes_round_a_wrapper(wrap, source):
    tokens = token_service()
    inner = JWTBackend(tokens, sources=[source])
    token = tokens.mint("ann").encode()
    is_header = isinstance(source, BearerHeader)
    header = (
        (b"authorization", b"Bearer " + token)
        if is_header
        else (b"cookie", b"access=" + token)
    )
    seen = Echo()
    plain = AuthenticationMiddleware(seen, inner, required=True)
    assert (await run(plain, headers=[header])).status == 200
    app = AuthenticationMiddleware(seen, wrap(inner), required=True)
    for _ in range(2):
        assert (await run(app, headers=[header])).status == 401


def test_what_may_end_a_principal_is_neither_shown_nor_compared_nor_copied():
    tokens = token_service()
    token = tokens.verifier.verify(tokens.mint("ann", roles=["editor"]).encode())
    principal = token.principal("header", "jwt")

    assert validity_of(principal).revocations is tokens.revocations
    assert "alidity" not in repr(principal)
    for twin in (pickle.loads(pickle.dumps(principal)), copy.deepcopy(principal)):
        assert twin == principal
        assert twin.roles == {"editor"}
        assert isinstance(validity_of(twin), Validity)
        assert validity_of(twin).revocations is None


def test_a_principal_without_a_validity_ends_by_its_time_alone():
    validity = validity_of(Principal("ann", is_authenticated=True))
    assert (validity.revocations, validity.renew, validity.interval) == (None,) * 3
    validity.check(Principal("ann", is_authenticated=True))  # Nothing is revoked.
