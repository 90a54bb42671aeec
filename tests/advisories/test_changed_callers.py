"""A socket follows its caller, whatever fails, and through copies of its scope."""

from __future__ import annotations

import asyncio
import copy
import pickle
from types import SimpleNamespace

import pytest

from asgi_auth import (
    AuthenticationMiddleware,
    ConnectionPolicy,
    Grant,
    JWTBackend,
    KeySet,
    TokenService,
    get_principal,
    get_user,
    requires,
)
from asgi_auth.accounts import AuthManager
from asgi_auth.accounts.basic import BasicBackend
from asgi_auth.lifetime.lifetime import lifetime_of
from asgi_auth.passwords import PasswordHasher
from asgi_auth.testing import FakeClock
from asgi_auth.websocket import ForbiddenRoomError, Rooms, WebSocketConnection
from tests.asgi import websocket_scope
from tests.websocket.peer import SOURCES, Peer, guarded, until

UNAVAILABLE = 1013


class World:
    """A socket that lives as long as its session, and what its renewal meets."""

    def __init__(self, app, **options):
        self.clock = FakeClock()
        self.grant = Grant(["read"])
        self.tokens = TokenService(
            KeySet.generate("HS256"), clock=self.clock, claims_loader=self.granted
        )
        self.scope = None
        self.app = app
        backend = JWTBackend(self.tokens, sources=SOURCES)
        policy = ConnectionPolicy(websockets="session")
        options.setdefault("connection_policy", policy)
        self.served = AuthenticationMiddleware(self.keep, backend, **options)

    def granted(self, subject):
        if isinstance(self.grant, Exception):
            raise self.grant
        return self.grant

    async def keep(self, scope, receive, send):
        self.scope = scope
        await self.app(scope, receive, send)

    async def open(self):
        pair = await self.tokens.issue("ann", scopes=["read"])
        return Peer(self.served, pair.access_token)

    async def renew(self, seconds=1000):
        """Let the token end, and wait for what comes of it."""
        lifetime = lifetime_of(self.scope)
        self.clock.advance(seconds)
        lifetime.wait()
        if lifetime._lookup is not None:
            await asyncio.wait([lifetime._lookup])


async def echo(scope, receive, send):
    await receive()
    await send({"type": "websocket.accept"})
    while (await receive())["type"] == "websocket.receive":
        principal, user = get_principal(scope), get_user(scope)
        text = f"{sorted(principal.scopes)} {getattr(user, 'name', '-')}"
        await send({"type": "websocket.send", "text": text})


async def asked(peer):
    await peer.say_text("?")
    return (await peer.next())["text"]


FAULTS = [KeyError("the application has a fault"), OSError("its database is away")]


@pytest.mark.parametrize("fault", FAULTS)
async def test_a_fault_of_a_claims_loader_makes_no_socket_immortal(fault, caplog):
    world = World(echo)
    async with await world.open() as peer:
        world.grant = fault
        await world.renew()
        assert await peer.silent()
        assert "claims_loader has failed" in caplog.text

        await world.renew(seconds=30)
        assert await peer.silent()
        await world.renew(seconds=40)
        assert (await peer.closed())[0] == UNAVAILABLE


@pytest.mark.parametrize("fault", FAULTS)
async def test_a_fault_that_passes_ends_no_socket_and_spares_none(fault):
    world = World(echo)
    async with await world.open() as peer:
        world.grant = fault
        await world.renew()
        world.grant = Grant(["read", "write"])
        await world.renew(seconds=3)
        assert "write" in get_principal(world.scope).scopes

        await world.tokens.revoke_subject("ann")
        assert await peer.closed() == (3000, "token_revoked")


async def test_a_fault_of_a_policy_ends_its_socket_in_time():
    faulty = SimpleNamespace(raises=False)

    def policy(principal, scope):
        if faulty.raises:
            raise KeyError(faulty)
        return True

    world = World(requires(policy=policy)(echo))
    async with await world.open() as peer:
        faulty.raises, world.grant = True, Grant(["read", "write"])
        await world.renew()
        assert await peer.silent()
        await world.renew(seconds=61)
        assert (await peer.closed())[0] == UNAVAILABLE


async def test_a_policy_is_asked_again_about_the_scope_that_it_saw():
    seen = []

    def policy(principal, scope):
        seen.append(scope["url_route"])
        return "admin" not in principal.scopes

    async def routed(scope, receive, send):
        # As a router of Channels: what follows sees a copy.
        inner = {**scope, "url_route": {"kwargs": {"room": "tea"}}}
        await requires(policy=policy)(echo)(inner, receive, send)

    world = World(routed)
    async with await world.open() as peer:
        world.grant = Grant(["read", "admin"])
        await world.renew()
        assert await peer.closed() == (3003, "forbidden")
    assert len(seen) == 2


async def test_what_a_router_has_copied_shows_the_caller_as_it_is_by_now():
    async def routed(scope, receive, send):
        await echo({**scope}, receive, send)

    users = {"name": "Ann"}
    world = World(routed, load_user=lambda _: SimpleNamespace(**users))
    async with await world.open() as peer:
        assert await asked(peer) == "['authenticated', 'read'] Ann"
        users["name"], world.grant = "Anna", Grant(["write"])
        await world.renew()
        assert await asked(peer) == "['authenticated', 'write'] Anna"


@pytest.mark.parametrize("gone", [None, False])
async def test_a_user_who_is_gone_loses_the_socket_at_its_renewal(gone):
    users = {"ann": SimpleNamespace(name="Ann")}
    world = World(echo, load_user=lambda principal: users[principal.subject])
    async with await world.open() as peer:
        await world.renew()
        assert await peer.silent()
        users["ann"] = gone
        await world.renew()
        assert await peer.closed() == (3000, "unknown_subject")


async def test_a_copy_for_another_caller_is_not_taken_for_the_sockets():
    inner = World(echo)
    seen = []

    async def nobody(scope, receive, send):
        seen.append(get_principal(scope))
        await echo(scope, receive, send)

    other = JWTBackend(TokenService(KeySet.generate("HS256")), name="other")
    inner.app = AuthenticationMiddleware(nobody, other)
    async with await inner.open() as peer:
        inner.grant = Grant(["write"])
        await inner.renew()
        assert await asked(peer) == "[] -"
    assert not seen[0].is_authenticated


# --------------------------------------------------------------------------- rooms


async def test_who_is_demoted_while_joining_does_not_get_in():
    asked, may_answer = asyncio.Event(), asyncio.Event()

    async def may_join(principal, room):
        allowed = "read" in principal.scopes
        asked.set()
        await may_answer.wait()
        return allowed

    rooms = Rooms(may_join=may_join)
    outcome = []

    async def app(scope, receive, send):
        connection = WebSocketConnection(scope, receive, send)
        await connection.accept()
        await rooms.add(connection)
        try:
            await rooms.join(connection, "vip")
        except ForbiddenRoomError as error:
            outcome.append(error.code)
        await receive()

    world = World(app)
    async with await world.open():
        await asked.wait()
        world.grant = Grant(["nothing"])
        await world.renew()
        may_answer.set()
        await until(lambda: outcome)
    assert outcome == ["forbidden_room"]
    assert rooms.members("vip") == []


# --------------------------------------------------------------------------- Basic


class Users(AuthManager):
    def __init__(self, user):
        self.user = user

    async def get_user_by_email(self, email):
        return self.user

    async def get_user_by_id(self, user_id):
        return self.user


async def test_the_socket_of_a_disabled_user_of_basic_is_closed():
    stored = await PasswordHasher().hash("correct horse battery")
    user = SimpleNamespace(id=7, password_hash=stored, roles=["staff"], disabled=False)
    manager = Users(user)
    scopes = []

    async def keep(scope, receive, send):
        scopes.append(scope)
        await echo(scope, receive, send)

    app = AuthenticationMiddleware(keep, backend := BasicBackend(manager))
    clock = FakeClock()
    object.__setattr__(backend._validity, "clock", clock)
    pair = b"YW5uOmNvcnJlY3QgaG9yc2UgYmF0dGVyeQ=="  # ann:correct horse battery
    async with Peer(app, headers=[(b"authorization", b"Basic " + pair)]) as peer:

        async def look():
            lifetime = lifetime_of(scopes[0])
            clock.advance(31)
            lifetime.wait()
            await lifetime._lookup

        await look()
        assert get_principal(scopes[0]).roles == {"staff"}
        user.roles = ["guest"]
        await look()
        assert get_principal(scopes[0]).roles == {"guest"}
        user.disabled = True
        await look()
        assert await peer.closed() == (3000, "token_revoked")


@pytest.mark.parametrize("answer", [None, False])
async def test_a_no_of_a_manager_is_no_user_of_basic(answer):
    class Own(Users):
        async def authenticate(self, email, password):
            return answer

    app = AuthenticationMiddleware(echo, BasicBackend(Own(answer)))
    headers = [(b"authorization", b"Basic YW5uOng=")]
    peer = Peer(app, headers=headers)
    peer.start()
    assert (await peer.next())["type"] != "websocket.accept"
    await peer.leave()


# ------------------------------------------------------------- copies, and returns


async def test_the_scope_of_a_socket_can_be_copied_and_pickled():
    kept = {}

    async def app(scope, receive, send):
        kept["copy"], kept["deep"] = copy.copy(scope), copy.deepcopy(scope)
        kept["pickled"] = pickle.loads(pickle.dumps(scope))
        await echo(scope, receive, send)

    world = World(app)
    async with await world.open():
        lifetime = lifetime_of(world.scope)
        assert lifetime_of(kept["copy"]) is lifetime_of(kept["deep"]) is lifetime
        assert lifetime_of(kept["pickled"]) is None
        assert get_principal(kept["pickled"]).subject == "ann"


@pytest.mark.parametrize("known", [True, False])
async def test_what_an_app_returns_for_a_socket_reaches_the_server(known):
    async def app(scope, receive, send):
        await receive()
        return "told"

    tokens = TokenService(KeySet.generate("HS256"))
    token = tokens.mint("ann").encode() if known else b""
    scope = websocket_scope(query=b"token=" + token)

    async def receive():
        return {"type": "websocket.connect"}

    assert await guarded(app, tokens)(scope, receive, None) == "told"
