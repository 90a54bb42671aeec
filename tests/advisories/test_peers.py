"""What went wrong elsewhere: an app as people write it, and each must not happen."""

from __future__ import annotations

import functools

import pytest

from asgi_auth import (
    AuthenticationMiddleware,
    BackendChain,
    BearerHeader,
    Cookie,
    JWTBackend,
    KeySet,
    QueryParam,
    Subprotocol,
    TokenService,
    UnavailableError,
    requires,
)
from tests.asgi import Echo, bearer, converse, cookie, denial_of, run
from tests.forge import SECRET

SOURCES = (BearerHeader(), Cookie("access"), QueryParam("token"), Subprotocol())


@pytest.fixture
def tokens():
    return TokenService(KeySet.from_secret(SECRET), issuer="me", audience="api")


@pytest.fixture
def backend(tokens):
    return JWTBackend(tokens, sources=SOURCES)


@pytest.fixture
def app(backend):
    return AuthenticationMiddleware(requires()(Echo()), backend)


@pytest.fixture
async def pair(tokens):
    return await tokens.issue("ada", scopes=["read"])


async def status(app, *headers, **more):
    return (await run(app, headers=headers, **more)).status


async def test_a_refresh_token_opens_nothing(app, pair):
    assert await status(app, bearer(pair.access_token)) == 200
    assert await status(app, bearer(pair.refresh_token)) == 401
    assert await status(app, cookie(pair.refresh_token)) == 401


async def test_an_access_token_refreshes_nothing(tokens, pair):
    from asgi_auth import InvalidTokenError

    with pytest.raises(InvalidTokenError):
        await tokens.refresh(pair.access_token)


@pytest.mark.parametrize("scheme", [b"Basic", b"Token", b"JWT", b"Digest", b""])
async def test_a_token_under_a_foreign_scheme_opens_nothing(app, pair, scheme):
    token = pair.access_token.encode()
    await status(app, bearer(token))
    assert await status(app, (b"authorization", scheme + b" " + token)) == 401
    assert await status(app, (b"authorization", token)) == 401


@pytest.mark.parametrize("scheme", [b"bearer", b"BEARER", b"Bearer ", b"bearer  "])
async def test_the_scheme_may_be_spelled_as_one_likes(app, pair, scheme):
    value = scheme + b" " + pair.access_token.encode()
    assert await status(app, (b"Authorization", value)) == 200


@pytest.mark.parametrize(
    "raw", [b"\xff", b"\x00", b"\xed\xa0\x80", b"%", b"\r", b"a b"]
)
async def test_odd_bytes_are_refused_and_crash_nothing(app, raw):
    assert await status(app, bearer(raw)) in {400, 401}
    assert await status(app, cookie(raw)) in {400, 401}
    sent = await converse(app, query=b"token=" + raw, denial=True)
    assert denial_of(sent).status in {400, 401}
    offer = ["bearer", raw.decode("latin-1")]
    sent = await converse(app, subprotocols=offer, denial=True)
    assert denial_of(sent).status in {400, 401}


async def test_an_expired_cookie_does_not_mask_a_good_header_nor_the_reverse(app, pair):
    junk, good = "x.y.z", pair.access_token
    assert await status(app, cookie(junk), bearer(good)) == 200
    assert await status(app, (b"authorization", b"Basic x"), cookie(good)) == 200


async def test_a_cookie_beside_others_of_any_shape_is_found(app, pair):
    token = pair.access_token.encode()
    for value in (
        b"a=b=c; access=" + token,
        b"a=b;access=" + token,
        b'q="x;"; access=' + token,
    ):
        assert await status(app, (b"cookie", value)) == 200


async def test_another_decorator_does_not_take_a_guard_away(backend, tokens):
    def logged(handler):
        @functools.wraps(handler)
        async def wrapper(scope, receive, send):
            await handler(scope, receive, send)

        return wrapper

    guarded = logged(requires("admin")(logged(requires("read")(Echo()))))
    app = AuthenticationMiddleware(guarded, backend)
    reader = tokens.mint("ada", scopes=["read"])
    admin = tokens.mint("ada", scopes=["read", "admin"])
    assert await status(app, bearer(reader)) == 403
    assert await status(app, bearer(admin)) == 200


async def test_a_loader_that_is_down_makes_nobody_anonymous(backend, pair):
    def loader(principal):
        raise UnavailableError

    app = AuthenticationMiddleware(echo := Echo(), backend, load_user=loader)
    for way in (bearer, cookie):
        assert await status(app, way(pair.access_token)) == 503
    assert echo.calls == 0


async def test_an_exclusion_is_matched_on_the_path_alone(backend):
    app = AuthenticationMiddleware(
        Echo(), backend, required=True, public_paths=["/login", "/static/*"]
    )
    assert await status(app, path="/login") == 200
    for path in ("/admin/login", "//login", "/login/", "/LOGIN", "/static/../admin"):
        assert await status(app, path=path) == 401
    assert await status(app, path="/admin", query=b"x=/login") == 401


async def test_a_preflight_is_not_answered_401(backend):
    app = AuthenticationMiddleware(Echo(), backend)
    asked = [
        (b"origin", b"https://x.example"),
        (b"access-control-request-method", b"PUT"),
    ]
    assert await status(app, *asked, method="OPTIONS") == 200
    app = AuthenticationMiddleware(Echo(), backend, required=True)
    # Nor does one run an app that looks at no method: CORS stands around us.
    assert await status(app, *asked, method="OPTIONS") == 401
    assert await status(app, method="OPTIONS") == 401


@pytest.mark.parametrize(
    "more", [{}, {"query": b"token=junk"}, {"subprotocols": ["x"]}]
)
async def test_a_websocket_is_not_let_in_without_a_token(backend, more):
    for app in (
        AuthenticationMiddleware(echo := Echo(), backend, required=True),
        AuthenticationMiddleware(requires()(echo), backend),
    ):
        sent = await converse(app, **more)
        assert sent == [{"type": "websocket.close", "code": 3000}]
    assert echo.calls == 0


async def test_a_websocket_with_subprotocols_of_none_is_no_crash(app):
    sent = await converse(app, subprotocols=(), extensions=None)
    assert sent[0]["type"] == "websocket.close"


async def test_a_401_says_what_to_send(app):
    for headers in ([], [bearer(b"junk")], [cookie(b"junk")]):
        answer = await run(app, headers=headers)
        assert answer.status == 401
        assert answer.header("www-authenticate").startswith("Bearer")


async def test_a_revoked_token_is_out_at_once_however_often_it_was_seen(
    tokens, app, pair
):
    for _ in range(3):
        assert await status(app, bearer(pair.access_token)) == 200
    await tokens.revoke(pair.refresh_token)
    assert await status(app, bearer(pair.access_token)) == 401
    assert await status(app, cookie(pair.access_token)) == 401


async def test_a_revoked_session_is_not_brought_back_by_a_refresh(tokens, pair):
    from asgi_auth import RevokedTokenError

    await tokens.revoke_subject("ada")
    with pytest.raises(RevokedTokenError):
        await tokens.refresh(pair.refresh_token)


async def test_scopes_survive_a_refresh_and_the_callers_data_is_not_touched(tokens):
    said = {"team": "red"}
    pair = await tokens.issue("ada", scopes=["read"], roles=["x"], claims=said)
    renewed = await tokens.refresh(pair.refresh_token)
    claims = await tokens.verify(renewed.access_token)
    assert (claims["scope"], claims["roles"], claims["team"]) == ("read", ("x",), "red")
    assert said == {"team": "red"}


async def test_a_user_without_an_id_is_nobody(tokens):
    from asgi_auth import ConfigurationError

    for subject in ("", "a\x00", None, False):
        with pytest.raises(ConfigurationError):
            await tokens.issue(subject)


async def test_a_second_backend_does_not_get_what_the_first_refused(
    tokens, backend, pair
):
    other_keys = KeySet.from_secret(SECRET[::-1])
    lenient = TokenService(other_keys, issuer="me", audience="api")
    chain = BackendChain(backend, JWTBackend(lenient, name="second"))
    app = AuthenticationMiddleware(Echo(), chain)
    forged = lenient.mint("root")
    assert await status(app, bearer(forged)) == 401
    assert await status(app, bearer(pair.access_token)) == 200
