from __future__ import annotations

import asyncio

import pytest

from asgi_auth import (
    ANONYMOUS,
    AuthenticationMiddleware,
    ConfigurationError,
    Grant,
    InvalidTokenError,
    JWTBackend,
    KeySet,
    Principal,
    RevokedTokenError,
    TokenService,
    UnknownSubjectError,
    requires,
)
from asgi_auth.errors import ActorRefusedError
from asgi_auth.testing import FakeClock

pytestmark = pytest.mark.anyio


class World:
    """Ann may act for others; Bob is one of them."""

    def __init__(self) -> None:
        self.clock, self.events = FakeClock(), []
        self.grants = {"bob": Grant(["notes:read"], ["user"])}
        self.tokens = TokenService(
            KeySet.generate("HS256"),
            issuer="https://a",
            clock=self.clock,
            claims_loader=self.grants.get,
            on_event=self.hear,
        )
        self.backend = JWTBackend(self.tokens)

    async def hear(self, event):
        self.events.append(event)

    async def principal(self, token) -> Principal:
        caught = []

        async def app(scope, receive, send):
            caught.append(scope["auth"])

        headers = [(b"authorization", f"Bearer {token}".encode())]
        scope = {"type": "http", "path": "/", "method": "GET", "headers": headers}
        middleware = AuthenticationMiddleware(app, self.backend)
        answers = []

        async def send(message):
            answers.append(message)

        await middleware(scope, None, send)
        return caught[0]

    async def ann(self, **more) -> Principal:
        pair = await self.tokens.issue("ann", roles=["admin"], **more)
        return await self.principal(pair.access_token)


@pytest.fixture
def world():
    return World()


async def test_the_token_is_of_the_user_and_names_who_acts(world):
    ann = await world.ann()
    token = await world.tokens.impersonate("bob", actor=ann, ttl=300, reason="ticket 7")
    bob = await world.principal(token)
    assert (bob.subject, bob.actor) == ("bob", "ann")
    assert bob.roles == {"user"}
    assert bob.session_id is None
    assert bob.expires_at == world.clock() + 300
    assert ann.actor is None
    await asyncio.sleep(0)
    (told,) = [e for e in world.events if e.name == "session.impersonated"]
    assert (told.subject, told.session_id) == ("bob", ann.session_id)
    assert told.detail == {"actor": "ann", "ttl": 300, "reason": "ticket 7"}
    assert await world.tokens.sessions("bob") == []


@pytest.mark.parametrize("ended", ["actor", "subject", "token", "all"])
async def test_it_ends_with_either_session(world, ended):
    ann = await world.ann()
    token = await world.tokens.impersonate("bob", actor=ann)
    await world.tokens.verify(token)
    await world.principal(token)
    if ended == "actor":
        await world.tokens.revoke_session(ann.session_id)
    elif ended == "subject":
        await world.tokens.revoke_subject("bob")
    elif ended == "token":
        await world.tokens.revoke(token)
    else:
        await world.tokens.revoke_all()
    with pytest.raises(RevokedTokenError):
        await world.tokens.verify(token)


async def test_what_others_do_does_not_end_it(world):
    ann = await world.ann()
    token = await world.tokens.impersonate("bob", actor=ann)
    await world.tokens.revoke_subject("cyd")
    other = await world.tokens.issue("ann")
    await world.tokens.revoke(other.refresh_token)
    assert (await world.tokens.verify(token))["act"]["sub"] == "ann"


async def test_what_a_bound_actor_gets_is_bound_to_the_same_key(world):
    ann = Principal(
        subject="ann", claims={"cnf": {"jkt": "x" * 43}}, is_authenticated=True
    )
    token = await world.tokens.impersonate("bob", actor=ann)
    claims = await world.tokens.verify(token, insecure_ignore_confirmation=True)
    assert claims["cnf"] == {"jkt": "x" * 43}
    with pytest.raises(InvalidTokenError):
        await world.tokens.verify(token)


async def test_nobody_acts_in_the_name_of_who_acts(world):
    ann = await world.ann()
    token = await world.tokens.impersonate("bob", actor=ann)
    world.grants["cyd"] = Grant()
    with pytest.raises(ActorRefusedError):
        await world.tokens.impersonate("cyd", actor=await world.principal(token))


async def test_who_is_gone_is_not_acted_for_and_keeps_the_actor_in(world):
    ann = await world.ann()
    with pytest.raises(UnknownSubjectError):
        await world.tokens.impersonate("nobody", actor=ann)
    assert len(await world.tokens.sessions("ann")) == 1


@pytest.mark.parametrize(
    ("actor", "options", "said"),
    [
        (ANONYMOUS, {}, "somebody who is known"),
        (
            Principal(subject="bob", issuer="https://a", is_authenticated=True),
            {},
            "somebody else",
        ),
        (Principal(subject="x", is_authenticated=True), {"ttl": 901}, "900 seconds"),
        (Principal(subject="x", is_authenticated=True), {"ttl": 0}, "positive"),
    ],
)
async def test_what_cannot_be_is_a_mistake(world, actor, options, said):
    with pytest.raises(ConfigurationError, match=said):
        await world.tokens.impersonate("bob", actor=actor, **options)


async def test_rights_come_from_the_loader_or_are_said(world):
    tokens = TokenService(KeySet.generate("HS256"), issuer="https://a")
    ann = Principal(subject="ann", issuer="https://idp", is_authenticated=True)
    with pytest.raises(ConfigurationError, match="claims_loader"):
        await tokens.impersonate(7, actor=ann)
    token = await tokens.impersonate(7, actor=ann, grant=Grant(["a:b"]))
    claims = await tokens.verify(token)
    assert (claims["sub"], claims["scope"]) == ("7", "a:b")
    assert dict(claims["act"]) == {"sub": "ann", "iss": "https://idp"}


@pytest.mark.parametrize(
    ("act", "actor"),
    [
        (None, None),
        ({"sub": "ann"}, "ann"),
        ({"sub": 7}, ""),
        ({}, ""),
        ("ann", ""),
        ([], ""),
    ],
)
def test_a_guard_refuses_whoever_acts_also_where_nobody_is_named(act, actor):
    claims = {} if act is None else {"act": act}
    principal = Principal(subject="bob", claims=claims, is_authenticated=True)
    assert principal.actor == actor
    scope = {"type": "http", "auth": principal, "user": principal}
    requires().check(scope)
    guard = requires(allow_actor=False)
    if actor is None:
        assert guard.check(scope) is principal
    else:
        with pytest.raises(ActorRefusedError):
            guard.check(scope)
        assert not guard.allows(scope)


def test_guards_compare_by_whether_actors_are_allowed():
    assert requires("a") != requires("a", allow_actor=False)
