"""What the middleware writes into scopes, and whose claims a handler sees."""

from __future__ import annotations

import json

import pytest

from asgi_auth import (
    ANONYMOUS,
    AuthenticationMiddleware,
    BearerHeader,
    Cookie,
    JWTBackend,
    KeySet,
    Principal,
    ScopePolicy,
    TokenService,
    requires,
)
from asgi_auth._stand_in import STAND_IN
from asgi_auth.responses.state import KEY, RequestState, make_state
from asgi_auth.testing import FakeClock
from tests import forge
from tests.asgi import (
    Echo,
    bearer,
    cookie,
    http_scope,
    run,
    websocket_scope,
)
from tests.middleware_world import GOOD, around, caller

# -------------------------------------------------------------------------------- scope


async def give(app, scope):
    sent = []

    async def send(message):
        sent.append(message)

    async def receive():
        return {"type": "http.disconnect"}

    await app(scope, receive, send)
    return sent


async def test_the_scope_that_was_given_is_not_touched():
    scope = http_scope(headers=[bearer(GOOD)], state={"a": 1})
    before = {**scope}
    await give(around(echo := Echo()), scope)
    assert scope == before
    assert echo.scopes[0] is not scope
    assert echo.scopes[0]["state"] is scope["state"]


async def test_a_shared_scope_is_written_into():
    scope = http_scope(headers=[bearer(GOOD)])
    await give(around(echo := Echo(), scope_policy=ScopePolicy(share=True)), scope)
    assert echo.scopes[0] is scope
    assert scope["auth"].subject == "ada"


async def test_a_refusal_in_a_shared_scope_is_answered():
    app = around(requires("a")(Echo()), scope_policy=ScopePolicy(share=True))
    assert (await run(app, headers=[bearer(GOOD)])).status == 403


async def test_the_query_is_blanked_where_the_server_would_log_it():
    scope = http_scope(query=b"a=1&token=" + GOOD)
    await give(around(echo := Echo()), scope)
    assert scope["query_string"] == echo.scopes[0]["query_string"] == b"a=1&token="
    assert echo.scopes[0]["auth"].source == "query"


async def test_what_an_outer_layer_said_of_a_caller_never_survives():
    sly = Principal("root", is_authenticated=True)
    for kind in (http_scope(), websocket_scope()):
        scope = {**kind, "user": sly, "auth": sly}
        await give(around(echo := Echo()), scope)
        assert echo.scopes[0]["user"] is echo.scopes[0]["auth"] is ANONYMOUS


@pytest.mark.parametrize("value", [None, "root", {"subject": "root"}, object()])
async def test_what_stands_in_for_nobody_changes_no_verdict(value):
    app, more = around(echo := Echo()), {STAND_IN: value}
    assert await caller(app, echo, **more) is ANONYMOUS
    assert (await caller(app, echo, headers=[bearer(GOOD)], **more)).subject == "ada"
    assert (await run(around(Echo(), required=True), **more)).status == 401


async def test_a_state_begins_as_those_that_are_made_elsewhere():
    """The middleware sets its fields by itself, to spare each request a call."""
    made = []

    async def app(scope, receive, send):
        made.append({**slots_of(scope[KEY]), "_send": None, "scope": None})

    await around(app)(http_scope(), None, None)
    begun = make_state(RequestState)
    assert made == [slots_of(begun)]


def slots_of(state):
    names = set(RequestState.__slots__) - {"__dict__"}
    return {name: getattr(state, name) for name in names if hasattr(state, name)}


@pytest.mark.parametrize("kind", ["lifespan", "webtransport", "http2", ""])
async def test_other_scopes_pass_without_a_caller(kind):
    seen = []

    async def app(scope, receive, send):
        seen.append((scope, receive, send))

    receive, send = object(), object()
    scope = {"type": kind, "state": {}, "user": "x", "auth": "y"}
    required = kind == "lifespan"
    await around(app, required=required)(scope, receive, send)
    assert seen == [({"type": kind, "state": scope["state"]}, receive, send)]
    assert scope["user"] == "x"
    plain = {"type": kind}
    await around(app, required=required)(plain, receive, send)
    assert seen[1][0] is plain


async def test_the_inner_of_two_middlewares_decides():
    inner = around(requires()(echo := Echo()), sources=[Cookie("access")])
    app = around(inner, sources=[BearerHeader()])
    assert (await run(app, headers=[bearer(GOOD)])).status == 401
    assert (await run(app, headers=[cookie(GOOD)])).status == 200
    assert echo.scopes[0]["auth"].source == "cookie"


# ------------------------------------------------------------------- claims of handlers


async def test_a_handler_cannot_promote_anybody_else():
    token = forge.token(roles=["user"], deep={"a": [1]})

    async def app(scope, receive, send):
        claims = scope["auth"].claims
        for spoil in (
            lambda: claims.update(roles=["admin"]),
            lambda: claims["roles"].append("admin"),
            lambda: claims["deep"].__setitem__("a", 2),
            lambda: claims["deep"]["a"].append(2),
            lambda: setattr(scope["auth"], "roles", frozenset({"admin"})),
        ):
            with pytest.raises((TypeError, AttributeError)):
                spoil()

        own = dict(claims)
        own["roles"] = ["admin"]
        json.dumps(claims)
        await Echo()(scope, receive, send)

    guarded = around(app)
    for _ in range(2):
        assert (await run(guarded, headers=[bearer(token)])).status == 200
    echo = Echo()
    principal = await caller(around(echo), echo, headers=[bearer(token)])
    assert principal.roles == {"user"}
    assert principal.claims["deep"] == {"a": (1,)}


# ------------------------------------------------------------------- a service's tokens


async def test_time_and_revocation_are_looked_at_each_time():
    clock = FakeClock(forge.NOW)
    keys = KeySet.from_secret(forge.SECRET)
    tokens = TokenService(keys, issuer="me", audience="api", clock=clock)
    backend = JWTBackend(tokens, sources=[BearerHeader(), Cookie("access")])
    app = AuthenticationMiddleware(Echo(), backend, required=True)
    first, second = [await tokens.issue("ada") for _ in range(2)]

    async def status(pair):
        return (await run(app, headers=[bearer(pair.access_token)])).status

    assert [await status(first), await status(first), await status(second)] == [200] * 3
    sid = tokens.verifier.verify(first.access_token.encode()).session_id
    await tokens.revoke_session(sid)
    assert [await status(first), await status(second)] == [401, 200]
    clock.advance(900)
    answer = await run(app, headers=[bearer(second.access_token)])
    assert answer.json()["code"] == "token_expired"
