"""What the app does not get to see: the credentials of its callers."""

from __future__ import annotations

import pytest

from asgi_auth import (
    AuthenticationMiddleware,
    BearerHeader,
    Cookie,
    Header,
    JWTBackend,
    QueryParam,
    RefusalPolicy,
    ScopePolicy,
    Subprotocol,
    extend,
)
from tests import forge
from tests.asgi import Echo, bearer, converse, cookie, http_scope, run

SOURCES = (
    BearerHeader(),
    BearerHeader("Key"),
    Cookie("access"),
    Cookie("__Host-access"),
    Header("X-API-Key"),
    Header("X-Assertion", ambient=True),
    QueryParam("token", http=True),
    Subprotocol(),
)
GOOD = forge.token()
EXPIRED = forge.token(exp=forge.NOW - 1)
HOST = (b"host", b"api.example")
ORIGIN = (b"origin", b"http://api.example")


def around(app, *, share=None, **refusals):
    backend = JWTBackend(forge.verifier(), sources=SOURCES)
    return AuthenticationMiddleware(
        app,
        backend,
        scope_policy=ScopePolicy(strip_credentials=True, share=share),
        refusal_policy=RefusalPolicy(**refusals),
    )


async def headers_of(*headers, **options):
    """Return what the app gets of these headers, and who calls it."""
    app = around(echo := Echo(), **options)
    assert (await run(app, headers=[HOST, *headers])).status == 200
    scope = echo.scopes[0]
    assert scope["headers"][0] == HOST
    return scope["headers"][1:], scope["auth"].subject


@pytest.mark.parametrize(
    "header",
    [
        bearer(GOOD),
        (b"Authorization", b"bearer " + GOOD),
        (b"authorization", b"BEARER  " + GOOD),
        (b"X-Api-Key", GOOD),
        (b"X-Assertion", GOOD),
        cookie(GOOD),
        cookie(GOOD, b"__Host-access"),
    ],
)
async def test_the_app_does_not_see_what_its_caller_is_known_by(header):
    assert await headers_of(header) == ([], "ada")


async def test_other_headers_stay_as_they_are_in_their_order():
    others = [(b"x-empty", b""), (b"Cookie2", b"access=1"), (b"x", b"1"), (b"x", b"2")]
    assert await headers_of(others[0], bearer(GOOD), *others[1:]) == (others, "ada")


@pytest.mark.parametrize(
    ("value", "left"),
    [
        (b"theme=dark; access=%s; lang=en", b"theme=dark; lang=en"),
        (b"access=%s; theme=dark", b"theme=dark"),
        (b"theme=dark; access=%s", b"theme=dark"),
        (b"theme=dark;access = %s ;;x", b"theme=dark;;x"),
        (b"access2=%s; xaccess=1", None),
        (b"ACCESS=%s", None),
        (b"theme=%s", None),
    ],
)
async def test_only_our_cookie_goes(value, left):
    sent = value.replace(b"%s", GOOD)
    headers, _ = await headers_of((b"cookie", sent))
    assert headers == [(b"cookie", sent if left is None else left)]


async def test_a_cookie_goes_beside_a_header_that_beats_it():
    assert await headers_of(cookie(GOOD), bearer(GOOD)) == ([], "ada")


@pytest.mark.parametrize(
    "sent", [[cookie(EXPIRED)], [cookie(GOOD), cookie(EXPIRED)], [cookie(b"")]]
)
async def test_a_bad_cookie_goes_too(sent):
    assert await headers_of(*sent) == ([], "")


async def test_a_bad_token_goes_where_it_passes_as_nobodys():
    assert await headers_of(bearer(EXPIRED), invalid="anonymous") == ([], "")
    twice = [bearer(GOOD), bearer(GOOD)]
    assert await headers_of(*twice, invalid="anonymous") == ([], "")


@pytest.mark.parametrize("invalid", ["refuse_claimed", "anonymous"])
async def test_what_is_meant_for_the_app_stays(invalid):
    theirs = bearer(b"sk-proj-123")
    sent = [theirs, cookie(GOOD), (b"x-assertion", GOOD), (b"cookie", b"a=1")]
    assert await headers_of(*sent, invalid=invalid) == (
        [theirs, (b"cookie", b"a=1")],
        "",
    )
    basic = (b"authorization", b"Basic eDp5")
    assert await headers_of(basic, cookie(GOOD), invalid=invalid) == ([basic], "ada")


async def test_a_preflight_and_a_request_of_nobody_lose_nothing():
    assert await headers_of((b"x", b"1")) == ([(b"x", b"1")], "")
    asks = [ORIGIN, (b"access-control-request-method", b"GET")]
    app = around(echo := Echo())
    await run(app, method="OPTIONS", headers=asks)
    assert echo.scopes[0]["headers"] == asks


async def test_the_subprotocols_that_a_socket_offers_are_without_the_token():
    app = around(echo := Echo())
    for offer, left in (
        (["bearer", GOOD.decode()], []),
        (["bearer", GOOD.decode(), "chat", "v2"], [b"chat, v2"]),
        (["chat"], [b"chat"]),
    ):
        header = (b"Sec-WebSocket-Protocol", ", ".join(offer).encode())
        await converse(app, headers=[header], subprotocols=offer)
        scope = echo.scopes[-1]
        assert [value for _, value in scope["headers"]] == left
        assert GOOD.decode() not in repr(scope)


async def test_a_source_that_is_not_named_is_not_looked_at():
    backend = JWTBackend(forge.verifier(), sources=[Cookie("access")])
    app = AuthenticationMiddleware(
        echo := Echo(), backend, scope_policy=ScopePolicy(strip_credentials=True)
    )
    sent = [bearer(GOOD), (b"x-api-key", b"1"), (b"sec-websocket-protocol", b"bearer")]
    await run(app, headers=sent)
    assert echo.scopes[0]["headers"] == sent


@pytest.mark.parametrize("share", [True, False])
async def test_the_headers_of_the_server_stay_what_they_were(share):
    sent = []

    async def send(message):
        sent.append(message)

    headers = [HOST, bearer(GOOD)]
    scope = http_scope(headers=headers)
    given = scope["headers"]
    await around(echo := Echo(), share=share)(scope, None, send)
    assert given == headers
    assert echo.scopes[0]["headers"] == [HOST]


async def test_a_socket_can_be_extended_all_the_same():
    async def app(scope, receive, send):
        assert GOOD.decode() not in repr(scope)
        await receive()
        await send({"type": "websocket.accept"})
        await extend(scope, GOOD.decode())
        await send({"type": "websocket.close", "code": 1000})

    messages = await converse(around(app), headers=[bearer(GOOD)])
    assert messages[-1]["code"] == 1000


async def test_lifespan_passes():
    seen = []

    async def app(scope, receive, send):
        seen.append(scope)

    await around(app)({"type": "lifespan"}, None, None)
    assert seen == [{"type": "lifespan"}]
