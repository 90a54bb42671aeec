"""What servers and frameworks may do with a scope, and with what an app returns."""

from __future__ import annotations

import asyncio
import copy
import inspect
import pickle
import sys
import warnings

import pytest
from asgiref.wsgi import WsgiToAsgi
from falcon.asgi import App as Falcon
from falcon.testing import TestClient

from asgi_auth import (
    AuthenticationMiddleware,
    AuthError,
    BearerHeader,
    Cookie,
    Header,
    JWTBackend,
    QueryParam,
    ScopePolicy,
    get_principal,
    requires,
)
from asgi_auth.integrations.user_header import UserHeader
from asgi_auth.responses.sender import GuardedReply, Reply, SocketReply
from asgi_auth.responses.state import KEY, make_state, state_of
from tests import forge
from tests.asgi import Echo, bearer, cookie, http_scope, run, websocket_scope

GOOD = forge.token(scope="a")
SOURCES = (BearerHeader(), Cookie("access"), QueryParam(), Header("X-Key"))
HOST = (b"host", b"api.example")
ORIGIN = (b"origin", b"http://api.example")


def around(app, *, sources=SOURCES, **options):
    backend = JWTBackend(forge.verifier(), sources=sources)
    return AuthenticationMiddleware(app, backend, **options)


async def drop(_): ...


# -------------------------------------------------------- headers, to be read only once


@pytest.mark.parametrize("header", [bearer(GOOD), cookie(GOOD), (b"x-key", GOOD)])
@pytest.mark.parametrize("make", [iter, tuple, lambda h: (iter(pair) for pair in h)])
@pytest.mark.parametrize("scope_of", [http_scope, websocket_scope])
async def test_headers_may_be_such_as_can_be_read_once(make, scope_of, header):
    headers = [HOST, ORIGIN, header]
    scope = scope_of(headers=())
    scope["headers"] = make(headers)

    async def receive():
        return {"type": "websocket.connect"}

    await around(echo := Echo())(scope, receive, drop)
    inner = echo.scopes[0]
    assert inner["auth"].subject == "ada"
    assert [*inner["headers"]] == [*scope["headers"]] == headers


async def test_the_cors_preflight_of_one_reading_is_seen():
    asks = [ORIGIN, (b"access-control-request-method", b"PUT")]
    scope = {**http_scope(method="OPTIONS"), "headers": iter(asks)}
    sent = []

    async def send(message):
        sent.append(message)

    await around(echo := Echo(), required=True)(scope, None, send)
    assert (echo.calls, sent[0]["status"]) == (0, 401)


def test_the_test_client_of_falcon_still_posts_forms():
    class Form:
        async def on_post(self, request, response):
            response.media = {"form": await request.get_media()}

    app = Falcon()
    app.add_route("/", Form())
    client = TestClient(around(app))
    urlencoded = {"Content-Type": "application/x-www-form-urlencoded"}
    answer = client.simulate_post("/", body="a=1", headers=urlencoded)
    assert answer.json == {"form": {"a": "1"}}


# -------------------------------------------------------------- send, as a function


@pytest.mark.parametrize("kind", [Reply, GuardedReply, SocketReply])
def test_send_is_known_to_be_awaited_and_makes_no_coroutine_of_its_own(kind):
    sent = []
    reply = make_state(kind, {"type": "http"}, sent.append)
    asks = (
        inspect.iscoroutinefunction
        if sys.version_info >= (3, 12)
        else asyncio.iscoroutinefunction
    )
    assert asks(reply.send)
    reply.send({"type": "http.response.body"})
    assert sent  # Called at once: nobody has awaited anything.


@pytest.mark.parametrize("kind", [KeyError, TypeError])
def test_what_a_plain_send_raises_comes_through_and_nothing_is_sent_twice(kind):
    sent = []

    def fails(message):
        sent.append(message)
        raise kind("a bug of an outer layer")

    reply = make_state(Reply, {"type": "http"}, fails)
    header = (b"content-type", b"text/plain")
    reply.ordinary = {header}
    start = {"type": "http.response.start", "status": 200, "headers": [header]}
    with pytest.raises(kind, match="a bug of an outer layer"):
        reply.send(start)

    assert sent == [start]


@pytest.mark.parametrize("required", [True, False])
async def test_what_asks_whether_send_is_async_does_not_warn(required):
    def wsgi(environ, start):
        start("200 OK", [("content-type", "text/plain")])
        return [b"hello"]

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        app = around(WsgiToAsgi(wsgi), required=required)
        answer = await run(app, headers=[bearer(GOOD)])

    assert answer.body == b"hello"


# -------------------------------------------------------------------- copies of a scope


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy])
async def test_a_copy_of_the_scope_is_of_the_same_request(copied):
    async def app(scope, receive, send):
        twin = copied(scope)
        assert twin[KEY] is scope[KEY]
        assert copied(scope[KEY]) is scope[KEY]
        assert twin["auth"] == scope["auth"]
        try:
            requires("b").check(twin)
        except AuthError:
            start = {"type": "http.response.start", "status": 500, "headers": []}
            await send(start)

    answers = []

    async def send(message):
        answers.append(message)

    await around(app)(http_scope(headers=[bearer(GOOD)]), None, send)
    assert answers[0]["status"] == 403


async def test_a_scope_can_be_pickled_and_leaves_the_connection_behind():
    pickled = []

    async def app(scope, receive, send):
        pickled.append(pickle.dumps(scope))
        await Echo()(scope, receive, send)

    await run(around(app), headers=[bearer(GOOD)])
    scope = pickle.loads(pickled[0])
    assert get_principal(scope).subject == "ada"
    assert [c.scheme for c in state_of(scope).challenges] == ["Bearer"]
    assert GOOD in pickled[0]  # In the headers, as it came.
    assert requires("a").check(scope).subject == "ada"


# ------------------------------------------------------------------ what an app returns


def wrappings():
    async def app(scope, receive, send):
        await Echo()(scope, receive, send)
        return "a mistake of the app"

    guard = requires("a")

    return {
        "alone": around(app),
        "tracked": around(app, scope_policy=ScopePolicy(track_current=True)),
        "stripped": around(app, scope_policy=ScopePolicy(strip_credentials=True)),
        "guarded": around(guard(app)),
        "guarded object": around(guard(UserHeader(app))),
    }


@pytest.mark.parametrize("way", wrappings())
async def test_what_the_app_returns_reaches_the_server(way):
    app = wrappings()[way]
    returned = await app(http_scope(headers=[bearer(GOOD)]), None, drop)
    assert returned == "a mistake of the app"


async def test_a_refusal_returns_nothing():
    app = around(requires("b")(Echo()))
    for headers in ([bearer(GOOD)], [bearer(b"bad")], []):
        assert await app(http_scope(headers=headers), None, drop) is None


async def test_lifespan_returns_what_the_app_does():
    async def app(scope, receive, send):
        return 7

    for options in ({}, {"track_current": True}, {"strip_credentials": True}):
        served = around(app, scope_policy=ScopePolicy(**options))
        assert await served({"type": "lifespan"}, None, None) == 7
