"""What an attacker, or an innocent extension of ours, must not get away with."""

from __future__ import annotations

import asyncio

import pytest

from asgi_auth.backends.chain import BackendChain
from asgi_auth.backends.issuers import IssuersBackend
from asgi_auth.backends.jwt import JWTBackend
from asgi_auth.backends.trusted import TrustedIssuer
from asgi_auth.credentials.sources import BearerHeader, Cookie, QueryParam, Subprotocol
from asgi_auth.errors import (
    AsgiAuthError,
    AuthError,
    ConfigurationError,
    InvalidTokenError,
    RevokedTokenError,
    UnavailableError,
)
from asgi_auth.guards import requires
from asgi_auth.keys import KeySet
from asgi_auth.middleware import AuthenticationMiddleware
from asgi_auth.principal import Principal
from asgi_auth.revocation import RevocationList
from asgi_auth.revocation.uptime import uptime
from asgi_auth.sessions import TokenService
from asgi_auth.stores.memory import MemoryStore
from asgi_auth.stores.records import Feed, Revocation
from asgi_auth.tokens.codec import Codec
from asgi_auth.tokens.grant import Grant
from tests.asgi import Echo, bearer, converse, cookie, run, websocket_scope

pytestmark = pytest.mark.anyio

SECRET = "v8Qm2kX0r4TnWz7LpYc1Hs9GdUfJb6Ae3Ro5Ti"
PREFLIGHT = (
    (b"origin", b"https://evil.example"),
    (b"access-control-request-method", b"DELETE"),
)
BOTH = (BearerHeader(), Cookie("access"))


class Clock:
    def __init__(self) -> None:
        self.time = 1_700_000_000.0

    def __call__(self) -> float:
        return self.time


def service(**options) -> TokenService:
    return TokenService(KeySet.from_secret(SECRET), **options)


def timed_service(**options) -> tuple[Clock, TokenService]:
    clock = Clock()
    store = MemoryStore(clock=clock)
    return clock, service(store=store, clock=clock, **options)


def sweep(tokens: TokenService, clock: Clock) -> None:
    """Drop what has expired, as happens once a minute of a living service."""
    # As if the seconds of this clock had passed on the one that goes only forward.
    tick = int(uptime() + clock.time - 1_700_000_000) // 10
    for table in tokens.revocations._tables.values():
        for part in table.parts:
            table.sweep(part, tick)


class Bouncer:
    """Knows nobody; throws out whom it has been told of."""

    name = "bouncer"
    sources = ()
    challenges = ()

    def __init__(self) -> None:
        self.banned = False

    async def authenticate(self, credential, scope):
        if self.banned:
            raise RevokedTokenError


class Certificates:
    """Knows callers by something that is not a credential of the request."""

    name = "mtls"
    sources = ()
    challenges = ()

    async def authenticate(self, credential, scope):
        if "certificate" not in scope:
            return None

        return Principal(scope["certificate"], backend="mtls", is_authenticated=True)


class LaggingStore:
    """Another process's view of a store whose feed is somewhat behind."""

    def __init__(self, store: MemoryStore) -> None:
        self._store = store
        self.behind = False

    def __getattr__(self, name):
        if name == "subscribe":
            raise AttributeError(name)

        return getattr(self._store, name)

    async def feed(self, cursor, *, wait, now=None):
        await asyncio.sleep(min(wait, 0.05))
        if self.behind:
            return Feed((), cursor or "0", 0.0)

        return await self._store.feed(cursor, wait=0, now=now)


# --- The fast lane may not know better than the backends themselves.


async def test_a_backend_in_front_can_still_throw_out_a_token_that_is_remembered():
    tokens, bouncer = service(), Bouncer()
    app = AuthenticationMiddleware(Echo(), BackendChain(bouncer, JWTBackend(tokens)))
    headers = [bearer(tokens.mint("u"))]
    assert (await run(app, headers=headers)).status == 200
    bouncer.banned = True
    assert (await run(app, headers=headers)).status == 401


async def test_the_first_backend_decides_also_when_a_later_one_remembers():
    tokens = service()
    chain = BackendChain(Certificates(), JWTBackend(tokens))
    app = AuthenticationMiddleware(Echo(), chain)
    headers = [bearer(tokens.mint("by-token"))]
    for _ in range(2):
        assert (await run(app, headers=headers)).json()["subject"] == "by-token"

    answer = await run(app, headers=headers, certificate="by-certificate")
    assert answer.json()["subject"] == "by-certificate"


def for_one_tenant(backend: type) -> type:
    class OneTenant(backend):
        async def authenticate(self, credential, scope):
            principal = await super().authenticate(credential, scope)
            if principal is not None and scope["path"] != "/mine":
                raise InvalidTokenError

            return principal

    return OneTenant


def own(kind: type):
    tokens = service(issuer="https://i.example", audience="api")
    return for_one_tenant(kind)(tokens), tokens


def foreign(kind: type):
    keys = KeySet.generate("ES256")
    tokens = TokenService(keys, issuer="https://i.example", audience="api")
    trusted = TrustedIssuer("https://i.example", audience="api", keys=keys)
    return for_one_tenant(kind)(trusted), tokens


def chained(kind: type):
    tokens = service(issuer="https://i.example", audience="api")
    return for_one_tenant(kind)(JWTBackend(tokens)), tokens


@pytest.mark.parametrize(
    ("make", "kind"),
    [(own, JWTBackend), (foreign, IssuersBackend), (chained, BackendChain)],
    ids=["jwt", "issuers", "chain"],
)
async def test_a_subclass_that_looks_at_the_request_is_asked_each_time(make, kind):
    backend, tokens = make(kind)
    app = AuthenticationMiddleware(Echo(), backend)
    headers = [bearer(tokens.mint("u"))]
    assert (await run(app, "/mine", headers=headers)).status == 200
    assert (await run(app, "/theirs", headers=headers)).status == 401


async def test_a_token_seen_in_a_header_is_still_ambient_in_a_cookie():
    tokens = service()
    app = AuthenticationMiddleware(Echo(), JWTBackend(tokens, sources=BOTH))
    token = tokens.mint("u")
    assert (await run(app, method="POST", headers=[bearer(token)])).status == 200
    foreign_page = (b"sec-fetch-site", b"cross-site")
    answer = await run(app, method="POST", headers=[cookie(token), foreign_page])
    assert answer.status == 403
    assert answer.json()["code"] == "cross_origin"


async def test_a_backend_is_not_asked_about_a_cookie_of_another_name():
    class Legacy:
        name = "legacy"
        sources = (Cookie("legacy"),)
        challenges = ()

        def claims(self, credential):
            return True

        async def authenticate(self, credential, scope):
            return None

    tokens = service()
    safe = JWTBackend(tokens, sources=(Cookie("__Host-access"),))
    app = AuthenticationMiddleware(Echo(), BackendChain(safe, Legacy()))
    # A neighbouring subdomain can set "legacy", but nothing that begins with __Host-.
    tossed = cookie(tokens.mint("attacker"), b"legacy")
    assert (await run(app, headers=[tossed])).json()["subject"] == ""


# --- Preflights.


async def test_a_preflight_has_one_empty_body_and_then_an_end():
    kinds = []

    async def streaming(scope, receive, send):
        # As Starlette's StreamingResponse waits for the client to leave; a receive
        # that answers at once, for ever, would never let the event loop go on.
        for _ in range(3):
            kinds.append((await receive())["type"])
            if kinds[-1] == "http.disconnect":
                break

        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"secret"})

    app = AuthenticationMiddleware(streaming, JWTBackend(service()))
    answer = await run(app, method="OPTIONS", headers=PREFLIGHT)
    assert answer.body == b""
    assert kinds == ["http.request", "http.disconnect"]


async def test_a_preflight_is_nobody_even_with_a_good_token():
    tokens = service()
    app = AuthenticationMiddleware(
        requires()(Echo()), JWTBackend(tokens), required=True
    )
    headers = [*PREFLIGHT, bearer(tokens.mint("u"))]
    answer = await run(app, method="OPTIONS", headers=headers)
    assert (answer.status, answer.body) == (401, b"")


# --- Revocation that does not come undone.


async def test_who_refreshes_right_after_revoke_all_does_not_escape_it():
    clock = Clock()
    store = MemoryStore(clock=clock)
    lagging = LaggingStore(store)
    here = service(store=store, clock=clock)
    there = service(store=lagging, clock=clock)
    pair = await here.issue("thief")
    clock.time += 100
    await there.revocations.read()
    lagging.behind = True
    await here.revoke_all()
    clock.time += 1.2  # The other process has not heard of it yet.
    escaped = await there.refresh(pair.refresh_token)
    lagging.behind = False
    clock.time += 20
    await there.revocations.read()
    try:
        with pytest.raises(RevokedTokenError):
            await there.refresh(escaped.refresh_token)
    finally:
        await there.aclose()


async def test_who_refreshes_while_all_is_revoked_does_not_escape_it():
    clock, waiting, go_on = Clock(), asyncio.Event(), asyncio.Event()

    async def load(subject):
        waiting.set()
        await go_on.wait()
        return Grant()

    store = MemoryStore(clock=clock)
    tokens = service(store=store, clock=clock, claims_loader=load)
    pair = await tokens.issue("thief")
    clock.time += 100
    refreshing = asyncio.create_task(tokens.refresh(pair.refresh_token))
    await waiting.wait()
    await tokens.revoke_all()
    clock.time += 1.2
    go_on.set()
    with pytest.raises(RevokedTokenError):
        await refreshing


async def test_a_log_in_after_revoke_all_is_good():
    clock, tokens = timed_service()
    await tokens.revoke_all()
    clock.time += 1.5
    pair = await tokens.issue("u")
    clock.time += 1
    await tokens.refresh(pair.refresh_token)


@pytest.mark.parametrize("kind", ["reset", "verify", "device"])
async def test_a_long_lived_token_of_a_revoked_subject_stays_revoked(kind):
    clock, tokens = timed_service()
    token = tokens.mint("u", kind=kind, ttl=7200)
    clock.time += 2
    await tokens.revoke_subject("u")
    clock.time += 3600
    sweep(tokens, clock)
    with pytest.raises(RevokedTokenError):
        await tokens.verify(token, kind)


async def test_a_session_whose_close_was_cut_off_does_not_come_back():
    clock, tokens = timed_service()
    pair = await tokens.issue("u")
    (session,) = await tokens.sessions("u")
    close = tokens.store.close

    async def cut_off(*_, **__):
        raise UnavailableError

    tokens.store.close = cut_off
    with pytest.raises(UnavailableError):
        await tokens.revoke_session(session.sid)

    tokens.store.close = close
    clock.time += 3600
    sweep(tokens, clock)
    with pytest.raises(RevokedTokenError):
        await tokens.refresh(pair.refresh_token)


async def test_a_shorter_revocation_does_not_cut_a_longer_one_short():
    clock = Clock()
    store = MemoryStore(clock=clock)
    tokens = service(store=store, clock=clock)
    await store.publish([Revocation(kind="all", issuer="")], ttl=86400)
    clock.time += 1
    await store.publish([Revocation(kind="all", issuer="")], ttl=60)
    clock.time += 100
    sweep(tokens, clock)
    assert tokens.revocations.all_before(None) > 0


async def test_a_retry_prolongs_nothing():
    clock, tokens = timed_service()
    pair = await tokens.issue("u")
    clock.time += 60
    await tokens.refresh(pair.refresh_token)
    (before,) = await tokens.sessions("u")
    for _ in range(3):
        clock.time += 9
        await tokens.refresh(pair.refresh_token)

    (after,) = await tokens.sessions("u")
    assert after == before


async def test_a_feed_entry_of_an_unknown_kind_does_not_stop_the_feed():
    clock = Clock()
    revocations = RevocationList(MemoryStore(clock=clock))
    entries = [
        Revocation(kind="tenant", issuer="", value="x", at=clock.time),
        Revocation(kind="jti", issuer="", value="y", at=clock.time),
    ]
    revocations._apply(entries, clock.time)
    with pytest.raises(RevokedTokenError):
        revocations.check(None, session_id=None, token_id="y", subject="u", issued_at=0)


# --- Paths and origins.


@pytest.mark.parametrize(
    "path",
    [
        "/public/../admin",
        "/public/..;/admin",
        "/public/.;x=1/admin",
        "/public/..%3b/admin",
        "/public/%2e%2E/admin",
        "/public/..%2fadmin",
        "/public//admin",
        "/public/..\\admin",
        "/public/x\x00",
        "/public/%252e%252e/admin",
        "/PUBLIC/x",
        "/publicity",
        "/public",
        "http://public/x",
    ],
)
async def test_a_path_that_can_be_read_in_two_ways_is_not_public(path):
    app = AuthenticationMiddleware(
        Echo(), JWTBackend(service()), required=True, public_paths=["/public/*"]
    )
    assert (await run(app, path)).status == 401


@pytest.mark.parametrize(
    "origin",
    [
        b"null",
        b"",
        b"https://api.example.evil.example",
        b"https://api.example@evil.example",
        b"https://evil.example/https://api.example",
        b"https://api.example:444",
        b"https://api.example.",
        b"https://api.example\xad",
        b"https://api.example:",
        b"https://api.example:4430",
        b"https://[::1]",
        b"ws://api.example",
        b"file://api.example",
        b"https://api.example, https://evil.example",
    ],
)
async def test_a_socket_of_a_cookie_is_refused_from_a_foreign_origin(origin):
    tokens, echo = service(), Echo()
    app = AuthenticationMiddleware(
        echo, JWTBackend(tokens, sources=(Cookie("access"),))
    )
    headers = [cookie(tokens.mint("u")), (b"host", b"api.example"), (b"origin", origin)]
    (only,) = await converse(app, headers=headers, scheme="wss")
    assert only["type"] == "websocket.close"
    assert not echo.calls


# --- Refusals arrive as refusals, and nothing becomes a 500.


async def test_a_refusal_in_a_group_with_a_cancellation_is_let_out():
    async def app(scope, receive, send):
        raise BaseExceptionGroup("", [InvalidTokenError(), asyncio.CancelledError()])

    guarded = AuthenticationMiddleware(app, JWTBackend(service()))
    with pytest.raises(BaseExceptionGroup):
        await run(guarded)


async def test_a_refusal_with_a_status_without_a_name_is_answered():
    class ClientClosedError(AuthError):
        status = 499

    async def app(scope, receive, send):
        raise ClientClosedError

    answer = await run(AuthenticationMiddleware(app, JWTBackend(service())))
    assert answer.status == 499


async def test_a_public_message_with_a_lone_surrogate_is_answered():
    async def app(scope, receive, send):
        error = InvalidTokenError()
        error.public_message = "not \ud800 good"
        raise error

    answer = await run(AuthenticationMiddleware(app, JWTBackend(service())))
    assert answer.status == 401


@pytest.mark.parametrize("subject", ["\ud800", "\U0001f600" * 255])
async def test_a_subject_that_no_store_takes_is_refused_in_one_way(subject):
    tokens = service()
    with pytest.raises(AsgiAuthError):
        tokens.mint(subject)

    with pytest.raises(AsgiAuthError):
        await tokens.issue(subject)


async def test_a_middleware_within_a_middleware_is_not_upset_by_the_blanked_token():
    tokens = service()
    backend = JWTBackend(tokens, sources=(QueryParam(http=True),))
    inner = AuthenticationMiddleware(Echo(), backend)
    app = AuthenticationMiddleware(inner, backend)
    query = b"token=" + tokens.mint("u").encode()
    assert (await run(app, query=query)).status == 200


@pytest.mark.parametrize(
    "names",
    [
        ["bearer"],
        ["bearer", ""],
        ["bearer", "\ud800"],
        ["bearer", "x", "bearer", "y"],
        ["base64url.bearer.authorization.", "chat"],
        ["base64url.bearer.authorization.\ud800", "chat"],
        ["base64url.bearer.authorization.eA"],
        ["bearer", "\N{KELVIN SIGN}"],
    ],
)
async def test_a_hostile_offer_of_subprotocols_is_refused_and_not_echoed(names):
    app = AuthenticationMiddleware(
        Echo(), JWTBackend(service(), sources=(Subprotocol(),))
    )
    (only,) = await converse(app, subprotocols=names)
    assert only["type"] == "websocket.close"


# --- Guards.


async def test_a_guard_lets_no_connection_of_an_unknown_type_through():
    reached = []

    async def app(scope, receive, send):
        reached.append(scope["type"])

    guarded = AuthenticationMiddleware(requires("admin")(app), JWTBackend(service()))
    with pytest.raises(AsgiAuthError):
        await guarded({"type": "webtransport", "path": "/", "headers": []}, None, None)

    assert not reached


def test_one_of_nothing_is_no_requirement():
    with pytest.raises(ConfigurationError):
        requires(any=True)


async def test_a_principal_left_by_an_outer_layer_does_not_survive():
    echo = Echo()
    app = AuthenticationMiddleware(echo, JWTBackend(service()))
    forged = Principal("root", roles=frozenset({"admin"}), is_authenticated=True)
    answer = await run(app, auth=forged, user=forged)
    assert answer.json()["subject"] == ""
    assert not echo.scopes[0]["user"].is_authenticated


# --- Names.


async def test_a_role_with_a_space_is_one_role():
    keys = KeySet.generate("ES256")
    claims = {"iss": "https://i.example", "sub": "u", "aud": "api"}
    clock = Clock()
    claims |= {"exp": clock.time + 60, "roles": "not admin"}
    token = Codec(keys).encode(claims, typ="at+jwt")
    trusted = TrustedIssuer("https://i.example", audience="api", keys=keys, clock=clock)
    verified = await trusted.admit(token.encode())
    assert "admin" not in verified.roles


# --- Open sockets.


@pytest.mark.parametrize("session", [None, "s1"])
@pytest.mark.parametrize("kind", ["jti", "whole_subject"])
async def test_a_socket_ends_with_a_revocation_of_a_foreign_issuers_token(
    session, kind
):
    keys, store, clock = KeySet.generate("ES256"), MemoryStore(), Clock()
    claims = {"iss": "https://i.example", "sub": "u", "aud": "api", "jti": "t1"}
    claims |= {"iat": int(clock.time), "exp": int(clock.time) + 600}
    if session is not None:
        claims["sid"] = session

    trusted = TrustedIssuer(
        "https://i.example",
        audience="api",
        keys=keys,
        revocations=RevocationList(store),
        clock=clock,
    )
    sent, opened = [], asyncio.Event()

    async def app(scope, receive, send):
        await send({"type": "websocket.accept"})
        opened.set()
        await receive()

    async def receive():
        return await asyncio.Event().wait()

    async def send(message):
        sent.append(message)

    guarded = AuthenticationMiddleware(app, IssuersBackend(trusted))
    token = Codec(keys).encode(claims, typ="at+jwt")
    scope = websocket_scope(headers=[bearer(token)])
    socket = asyncio.create_task(guarded(scope, receive, send))
    await asyncio.wait_for(opened.wait(), 10)
    value = "u" if kind == "whole_subject" else "t1"
    entry = Revocation(kind=kind, issuer="https://i.example", value=value)
    await store.publish([entry], ttl=600)
    await asyncio.wait({socket}, timeout=0.5)
    socket.cancel()
    assert [message.get("code") for message in sent] == [None, 3000]
