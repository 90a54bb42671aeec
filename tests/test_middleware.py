from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asgi_auth import (
    ANONYMOUS,
    AuthenticationError,
    AuthenticationMiddleware,
    BearerHeader,
    Challenge,
    ConfigurationError,
    Cookie,
    ExpiredTokenError,
    InvalidTokenError,
    JWTBackend,
    KeySet,
    Principal,
    QueryParam,
    Site,
    Subprotocol,
    TokenService,
    UnavailableError,
    UnknownSubjectError,
    requires,
)
from asgi_auth.testing import FakeClock
from tests import forge
from tests.asgi import (
    Echo,
    bearer,
    converse,
    cookie,
    denial_of,
    http_scope,
    run,
    websocket_scope,
)

EVERYWHERE = (
    BearerHeader(),
    Cookie("access"),
    QueryParam("token", http=True),
    Subprotocol(),
)
GOOD = forge.token()
EXPIRED = forge.token(exp=forge.NOW - 1)
FORGED = forge.token(key=forge.family("HS256").stranger)
OUR_PAGE = (b"host", b"api.example"), (b"origin", b"http://api.example")
FOREIGN_PAGE = (b"host", b"api.example"), (b"origin", b"https://evil.example")


def around(app, *, sources=EVERYWHERE, verifier=None, **options):
    backend = JWTBackend(verifier or forge.verifier(), sources=sources)
    return AuthenticationMiddleware(app, backend, **options)


class Stub:
    """Somebody's own backend: gives an answer, or raises it."""

    challenges = (Challenge(),)

    def __init__(self, answer=None, *, name="own", sources=EVERYWHERE):
        self.name = name
        self.sources = sources
        self.answer = answer
        self.asked = 0

    async def authenticate(self, credential, scope):
        self.asked += 1
        if isinstance(self.answer, Exception):
            raise self.answer

        return self.answer


async def caller(app, echo, **more) -> Principal:
    answer = await run(app, **more)
    assert answer.status == 200, answer
    return echo.scopes[-1]["auth"]


# ----------------------------------------------------------------------- who is calling


@pytest.mark.parametrize(
    ("source", "more"),
    [
        ("header", {"headers": [bearer(GOOD)]}),
        ("cookie", {"headers": [cookie(GOOD)]}),
        ("query", {"query": b"token=" + GOOD}),
    ],
)
@pytest.mark.parametrize("repeats", [1, 3])
async def test_a_good_token_is_known_wherever_it_comes_from(source, more, repeats):
    app = around(echo := Echo())
    for _ in range(repeats):
        principal = await caller(app, echo, **more)
        assert (principal.subject, principal.source) == ("ada", source)
        assert echo.scopes[-1]["user"] is principal


async def test_without_a_credential_the_caller_is_anonymous():
    app = around(echo := Echo())
    assert await caller(app, echo) is ANONYMOUS
    assert echo.scopes[-1]["user"] is ANONYMOUS


@pytest.mark.parametrize("header", [b"Basic " + GOOD, b"ApiKey " + GOOD, GOOD])
async def test_a_good_token_under_another_scheme_is_nobody(header):
    app = around(echo := Echo())
    await run(app, headers=[bearer(GOOD)])  # remembered, which must not help
    got = await caller(app, echo, headers=[(b"authorization", header)])
    assert got is ANONYMOUS


@pytest.mark.parametrize(
    "headers",
    [
        [bearer(FORGED)],
        [bearer(EXPIRED)],
        [bearer(b"\xff")],
        [bearer(b"\x00")],
        [bearer(b"a" * 9000)],
        [bearer(b"")],
        [(b"authorization", b"Bearer\t" + GOOD)],
        [(b"authorization", b"Bearer " + GOOD + b", Bearer " + GOOD)],
        [(b"authorization", b"bearer " + GOOD + b" " + GOOD)],
        [bearer(GOOD), bearer(GOOD)],
        [bearer(GOOD), (b"authorization", b"Basic x")],
        [bearer(EXPIRED), cookie(GOOD)],
    ],
)
@pytest.mark.parametrize("path", ["http", "websocket"])
async def test_a_bad_explicit_credential_is_refused_at_once(headers, path):
    app = around(echo := Echo())
    if path == "http":
        answer = await run(app, headers=headers)
    else:
        answer = denial_of(await converse(app, headers=headers, denial=True))

    assert answer.status in {400, 401}
    assert answer.header("www-authenticate").startswith("Bearer error=")
    assert echo.calls == 0


@pytest.mark.parametrize("sources", [EVERYWHERE, EVERYWHERE[:1]])
@pytest.mark.parametrize(
    "headers",
    [[bearer(GOOD), bearer(GOOD)], [bearer(b"")], [(b"authorization", b"bearer")]],
)
async def test_what_is_malformed_is_a_bad_request_and_no_bad_token(sources, headers):
    app = around(Echo(), sources=sources)
    await run(app, headers=[bearer(GOOD)])
    answer = await run(app, headers=headers)
    assert (answer.status, answer.json()["code"]) == (400, "invalid_request")


async def test_two_ways_at_once_are_a_bad_request():
    app = around(echo := Echo())
    answer = await run(app, headers=[bearer(GOOD)], query=b"token=" + GOOD)
    assert (answer.status, answer.json()["code"]) == (400, "invalid_request")
    assert echo.calls == 0


@pytest.mark.parametrize(
    "headers",
    [
        [cookie(EXPIRED)],
        [cookie(FORGED)],
        [cookie(b"\xff\x00")],
        [cookie(b"a" * 9000)],
        [cookie(GOOD), cookie(GOOD)],
        [(b"cookie", b"access=" + GOOD + b"; access=x")],
    ],
)
async def test_a_bad_cookie_never_locks_a_browser_out(headers):
    app = around(echo := Echo())
    principal = await caller(app, echo, headers=headers)
    assert not principal.is_authenticated
    assert isinstance(principal.error, Exception)
    assert echo.scopes[-1]["user"] is principal
    # But it opens nothing, and a guard below says what is wrong with it.
    answer = await run(around(requires()(Echo())), headers=headers)
    assert answer.status in {400, 401}
    assert answer.json()["code"] == principal.error.code


async def test_neither_a_bad_cookie_nor_a_foreign_scheme_masks_a_good_credential():
    app = around(echo := Echo())
    for bad in (EXPIRED, b"junk"):
        headers = [cookie(bad), bearer(GOOD)]
        assert (await caller(app, echo, headers=headers)).source == "header"
    headers = [(b"authorization", b"Basic x"), cookie(GOOD)]
    assert (await caller(app, echo, headers=headers)).source == "cookie"


async def test_a_lenient_app_lets_bad_credentials_be_nobody():
    app = around(echo := Echo(), invalid="anonymous")
    principal = await caller(app, echo, headers=[bearer(EXPIRED)])
    assert isinstance(principal.error, ExpiredTokenError)
    principal = await caller(app, echo, headers=[bearer(GOOD), bearer(GOOD)])
    assert principal.error.code == "invalid_request"


@pytest.mark.parametrize("size", [9000, 100 * 1024, 1024 * 1024])
@pytest.mark.parametrize("way", ["header", "cookie", "query", "pair"])
async def test_a_long_token_is_refused_before_anybody_looks_into_it(size, way):
    backend = Stub(ANONYMOUS)
    app = AuthenticationMiddleware(Echo(), backend, required=True)
    big = b"a" * size
    if way == "pair":
        offer = ["bearer", big.decode()]
        answer = denial_of(await converse(app, subprotocols=offer, denial=True))
    else:
        more = {
            "header": {"headers": [bearer(big)]},
            "cookie": {"headers": [cookie(big)]},
            "query": {"query": b"token=" + big},
        }
        answer = await run(app, **more[way])

    assert answer.json()["code"] == "invalid_token"
    assert backend.asked == 0


async def test_a_credential_that_no_backend_knows_is_not_nobody():
    backend = Stub(None)
    app = AuthenticationMiddleware(echo := Echo(), backend)
    assert (await run(app, headers=[bearer(b"opaque")])).status == 401
    assert backend.asked == 1
    principal = await caller(app, echo, headers=[cookie(b"opaque")])
    assert isinstance(principal.error, InvalidTokenError)


async def test_a_backend_with_sources_is_not_asked_about_nothing():
    backend = Stub(None)
    await run(AuthenticationMiddleware(Echo(), backend))
    assert backend.asked == 0


async def test_a_backend_without_sources_is_always_asked():
    backend = Stub(Principal("bob", is_authenticated=True), sources=())
    app = AuthenticationMiddleware(echo := Echo(), backend)
    assert (await caller(app, echo)).subject == "bob"
    refusing = Stub(InvalidTokenError(), sources=())
    assert (await run(AuthenticationMiddleware(Echo(), refusing))).status == 401


async def test_a_backend_that_says_nobody_says_nobody():
    app = AuthenticationMiddleware(echo := Echo(), Stub(None, sources=()))
    assert await caller(app, echo) is ANONYMOUS


# ------------------------------------------------------------------ required and public


async def test_where_a_caller_is_required_nobody_gets_in():
    app = around(echo := Echo(), required=True)
    answer = await run(app)
    assert (answer.status, answer.header("www-authenticate")) == (401, "Bearer")
    assert denial_of(await converse(app, denial=True)).status == 401
    for headers in ([cookie(EXPIRED)], [bearer(EXPIRED)], [cookie(GOOD), cookie(GOOD)]):
        assert (await run(app, headers=headers)).status in {400, 401}
    assert echo.calls == 0
    assert (await caller(app, echo, headers=[cookie(GOOD)])).subject == "ada"


async def test_where_a_caller_is_required_leniency_does_not_help():
    app = around(echo := Echo(), required=True, invalid="anonymous")
    assert (await run(app, headers=[bearer(EXPIRED)])).status == 401
    assert echo.calls == 0


async def test_a_backend_without_an_answer_is_not_enough_where_one_is_required():
    app = AuthenticationMiddleware(Echo(), Stub(None, sources=()), required=True)
    assert (await run(app)).status == 401


@pytest.mark.parametrize(
    "headers",
    [
        [],
        [bearer(EXPIRED)],
        [bearer(b"\xff")],
        [bearer(GOOD), bearer(GOOD)],
        [cookie(EXPIRED)],
        [bearer(b"a" * 9000)],
    ],
)
@pytest.mark.parametrize("required", [True, False])
async def test_a_public_path_refuses_nobody(headers, required):
    app = around(echo := Echo(), required=required, public_paths=["/refresh"])
    principal = await caller(app, echo, path="/refresh", headers=headers)
    assert not principal.is_authenticated
    assert (principal.error is None) is (not headers)
    good = await caller(app, echo, path="/refresh", headers=[bearer(GOOD)])
    assert good.subject == "ada"


async def test_a_guard_on_a_public_path_says_what_is_wrong():
    app = around(requires()(Echo()), public_paths=["/*"])
    answer = await run(app, headers=[bearer(EXPIRED)])
    assert answer.json()["code"] == "token_expired"


@pytest.mark.parametrize(
    ("path", "more"),
    [
        ("/admin", {"query": b"x=/public"}),
        ("//public", {}),
        ("/public/../admin", {}),
        ("/public/%2e%2e/admin", {}),
        ("/public\\..\\admin", {}),
        ("/public/", {}),
        ("/PUBLIC", {}),
        ("/x/public", {"root_path": "/y"}),
        ("/apipublic", {"root_path": "/api"}),
    ],
)
async def test_no_path_talks_its_way_past_the_requirement(path, more):
    app = around(echo := Echo(), required=True, public_paths=["/public"])
    assert (await run(app, path, **more)).status == 401
    assert echo.calls == 0


# ------------------------------------------------------------------------------ outages


@pytest.mark.parametrize(
    "headers", [[bearer(GOOD)], [cookie(GOOD)], []], ids=["header", "cookie", "none"]
)
@pytest.mark.parametrize("options", [{}, {"required": True}, {"invalid": "anonymous"}])
async def test_an_outage_is_never_taken_for_a_bad_or_missing_credential(
    headers, options
):
    sources = EVERYWHERE if headers else ()
    backend = Stub(UnavailableError(retry_after=3), sources=sources)
    app = AuthenticationMiddleware(echo := Echo(), backend, **options)
    answer = await run(app, headers=headers)
    assert (answer.status, answer.header("retry-after")) == (503, "3")
    assert answer.header("www-authenticate") is None
    denied = denial_of(await converse(app, headers=[*headers, *OUR_PAGE], denial=True))
    assert denied.status == 503
    assert echo.calls == 0


async def test_on_a_public_path_an_outage_makes_nobody_of_the_caller():
    backend = Stub(UnavailableError())
    options = {"required": True, "public_paths": ["/open"]}
    app = AuthenticationMiddleware(echo := Echo(), backend, **options)
    for headers in ([bearer(GOOD)], [cookie(GOOD)]):
        principal = await caller(app, echo, path="/open", headers=headers)
        assert isinstance(principal.error, UnavailableError)
    guarded = AuthenticationMiddleware(requires()(Echo()), backend, public_paths=["/*"])
    assert (await run(guarded, headers=[cookie(GOOD)])).status == 503


async def test_a_bug_in_a_backend_is_a_bug():
    app = AuthenticationMiddleware(Echo(), Stub(KeyError("oops")), public_paths=["/*"])
    with pytest.raises(KeyError):
        await run(app, headers=[bearer(GOOD)])


# -------------------------------------------------------------------------- user loader


def loaders(result):
    """Return a sync and an async loader with the same result."""

    def sync(principal):
        if isinstance(result, Exception):
            raise result

        return result

    async def not_sync(principal):
        return sync(principal)

    return [sync, not_sync]


@pytest.mark.parametrize("loader", loaders({"id": 5}))
async def test_the_loaders_user_is_the_user(loader):
    app = around(echo := Echo(), load_user=loader)
    for _ in range(2):
        principal = await caller(app, echo, headers=[bearer(GOOD)])
        assert principal.subject == "ada"
        assert echo.scopes[-1]["user"] == {"id": 5}
    assert await caller(app, echo) is ANONYMOUS
    assert echo.scopes[-1]["user"] is ANONYMOUS


@pytest.mark.parametrize("falsy", [0, "", [], {}])
async def test_a_user_that_is_falsy_is_a_user(falsy):
    app = around(echo := Echo(), load_user=lambda principal: falsy)
    await caller(app, echo, headers=[bearer(GOOD)])
    assert echo.scopes[-1]["user"] is falsy


@pytest.mark.parametrize("loader", [*loaders(None), *loaders(False)])
async def test_a_user_that_is_gone_has_an_invalid_token(loader):
    app = around(echo := Echo(), load_user=loader)
    answer = await run(app, headers=[bearer(GOOD)])
    assert (answer.status, answer.json()["code"]) == (401, "unknown_subject")
    assert 'error="invalid_token"' in answer.header("www-authenticate")
    principal = await caller(app, echo, headers=[cookie(GOOD)])
    assert isinstance(principal.error, UnknownSubjectError)


async def test_a_user_that_is_disabled_while_its_token_is_remembered_is_out():
    users = {"ada": "Ada"}
    app = around(
        echo := Echo(), load_user=lambda principal: users.get(principal.subject)
    )
    await caller(app, echo, headers=[bearer(GOOD)])
    del users["ada"]
    assert (await run(app, headers=[bearer(GOOD)])).status == 401


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (UnavailableError(), 503),
        (AuthenticationError(), 401),
        (ExpiredTokenError(), 401),
    ],
    ids=["outage", "unknown", "expired"],
)
async def test_a_refusal_of_the_loader_is_one(error, status):
    for loader in loaders(error):
        app = around(echo := Echo(), load_user=loader)
        assert (await run(app, headers=[bearer(GOOD)])).status == status
        assert echo.calls == 0
        ambient = await run(app, headers=[cookie(GOOD)])
        assert ambient.status == (503 if status == 503 else 200)


async def test_a_bug_of_the_loader_is_a_bug_and_never_nobody():
    for loader in loaders(KeyError("the database")):
        for headers in ([bearer(GOOD)], [cookie(GOOD)]):
            app = around(Echo(), load_user=loader, public_paths=["/*"])
            with pytest.raises(KeyError):
                await run(app, headers=headers)


async def test_the_loader_is_asked_about_good_callers_only():
    asked = []
    app = around(Echo(), load_user=lambda principal: asked.append(principal) or "x")
    for headers in (
        [],
        [bearer(FORGED)],
        [cookie(EXPIRED)],
        [cookie(b"x"), *FOREIGN_PAGE],
    ):
        await run(app, headers=headers)
    await run(app, method="POST", headers=[cookie(GOOD), *FOREIGN_PAGE])
    for headers in ([bearer(b"a" * 9000)], [bearer(GOOD), bearer(GOOD)]):
        assert (await run(app, headers=headers)).status in {400, 401}
    assert asked == []


async def test_with_a_loader_a_token_is_verified_once_too():
    verifier = forge.verifier()
    app = around(Echo(), verifier=verifier, load_user=lambda principal: "x")
    for _ in range(3):
        await run(app, headers=[bearer(GOOD)])
    assert verifier.cache_stats().hits == 2


# --------------------------------------------------------------------------------- CSRF


@pytest.mark.parametrize("remembered", [False, True])
@pytest.mark.parametrize("loader", [None, lambda principal: "x"])
async def test_a_cookie_from_a_foreign_page_is_refused_remembered_or_not(
    remembered, loader
):
    app = around(echo := Echo(), load_user=loader)
    if remembered:
        assert (await run(app, method="POST", headers=[bearer(GOOD)])).status == 200
        assert (await run(app, method="GET", headers=[cookie(GOOD)])).status == 200

    calls = echo.calls
    answer = await run(app, method="POST", headers=[cookie(GOOD), *FOREIGN_PAGE])
    assert (answer.status, answer.json()["code"]) == (403, "cross_origin")
    headers = [cookie(GOOD), *FOREIGN_PAGE]
    assert denial_of(await converse(app, headers=headers, denial=True)).status == 403
    headers = [cookie(GOOD), (b"host", b"api.example")]
    assert denial_of(await converse(app, headers=headers, denial=True)).status == 403
    assert echo.calls == calls


async def test_a_cookie_from_our_own_page_is_good():
    app = around(echo := Echo())
    headers = [cookie(GOOD), *OUR_PAGE]
    assert (await run(app, method="POST", headers=headers)).status == 200
    sent = await converse(app, headers=headers)
    assert sent[0]["type"] == "websocket.accept"
    assert echo.scopes[-1]["auth"].source == "cookie"


async def test_what_a_client_chose_to_send_needs_no_origin():
    app = around(Echo())
    headers = [bearer(GOOD), cookie(GOOD), *FOREIGN_PAGE]
    assert (await run(app, method="POST", headers=headers)).status == 200
    assert (await converse(app, headers=headers))[0]["type"] == "websocket.accept"


async def test_trusted_pages_and_a_public_url_are_passed_on():
    app = around(Echo(), site=Site(trusted_origins=["https://evil.example"]))
    headers = [cookie(GOOD), *FOREIGN_PAGE]
    assert (await run(app, method="POST", headers=headers)).status == 200
    app = around(Echo(), site=Site(public_url="https://evil.example"))
    assert (await run(app, method="POST", headers=headers)).status == 200


async def test_on_a_public_path_a_cookie_from_a_foreign_page_is_nobody():
    app = around(echo := Echo(), public_paths=["/*"])
    headers = [cookie(GOOD), *FOREIGN_PAGE]
    principal = await caller(app, echo, method="POST", headers=headers)
    assert not principal.is_authenticated
    assert principal.error.code == "cross_origin"


# ---------------------------------------------------------------------------- preflight


PREFLIGHT = [
    (b"Origin", b"https://x.example"),
    (b"Access-Control-Request-Method", b"PUT"),
]


async def test_a_preflight_goes_on_as_nobody_and_without_a_body():
    app = around(echo := Echo())
    headers = [*PREFLIGHT, bearer(GOOD), cookie(GOOD)]
    answer = await run(app, method="OPTIONS", headers=headers)
    assert (answer.status, answer.body) == (200, b"")
    assert echo.scopes[-1]["auth"] is ANONYMOUS


async def test_a_preflight_runs_no_app_where_a_caller_is_required(caplog):
    app = around(echo := Echo(), required=True, public_paths=["/open"])
    for _ in range(3):
        answer = await run(app, method="OPTIONS", headers=PREFLIGHT)
        assert (answer.status, echo.scopes) == (401, [])

    (record,) = caplog.records
    assert record.levelname == "WARNING"
    assert "CORS middleware around" in record.getMessage()
    answer = await run(app, "/open", method="OPTIONS", headers=PREFLIGHT)
    assert (answer.status, answer.body) == (200, b"")


async def test_a_scope_of_an_unknown_type_runs_no_app_where_a_caller_is_required():
    called = []

    async def app(scope, receive, send):
        called.append(scope["type"])

    await around(app)({"type": "telepathy"}, None, None)
    await around(app, required=True)({"type": "lifespan"}, None, None)
    with pytest.raises(ConfigurationError, match="telepathy"):
        await around(app, required=True)({"type": "telepathy"}, None, None)
    assert called == ["telepathy", "lifespan"]


@pytest.mark.parametrize("headers", [[], PREFLIGHT[:1], PREFLIGHT[1:]])
async def test_another_options_request_is_none(headers):
    app = around(Echo(), required=True)
    assert (await run(app, method="OPTIONS", headers=headers)).status == 401
    assert (await run(app, method="POST", headers=PREFLIGHT)).status == 401


async def test_preflights_can_be_refused():
    app = around(Echo(), required=True, preflight="refuse")
    assert (await run(app, method="OPTIONS", headers=PREFLIGHT)).status == 401


async def test_the_token_in_the_query_of_a_preflight_is_blanked_out_too():
    scope = http_scope(method="OPTIONS", headers=PREFLIGHT, query=b"token=" + GOOD)

    async def send(message):
        pass

    await around(Echo())(scope, None, send)
    assert scope["query_string"] == b"token="


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
    await give(around(echo := Echo(), share_scope=True), scope)
    assert echo.scopes[0] is scope
    assert scope["auth"].subject == "ada"


async def test_a_refusal_in_a_shared_scope_is_answered():
    app = around(requires("a")(Echo()), share_scope=True)
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


# ----------------------------------------------------------------------------- no crash


RAW = st.binary(max_size=40)
TOKENS = st.sampled_from(
    [GOOD, EXPIRED, FORGED, b"a.b.c", b"..", b"", b"\xff", b"\x00"]
)


@given(
    st.lists(
        st.tuples(
            st.sampled_from(
                [b"authorization", b"cookie", b"origin", b"host", b"sec-fetch-site"]
            ),
            RAW
            | TOKENS.map(lambda token: b"Bearer " + token)
            | TOKENS.map(lambda token: b"access=" + token),
        ),
        max_size=4,
    ),
    RAW | TOKENS.map(lambda token: b"token=" + token),
    st.sampled_from(["GET", "POST", "OPTIONS", "\xff"]),
    st.text(max_size=10),
    st.lists(st.sampled_from(["bearer", "chat", GOOD.decode(), "\xff"]), max_size=4),
)
async def test_nothing_on_the_wire_can_cause_a_crash(
    headers, query, method, path, offer
):
    more = {"headers": headers, "query": query}
    for options in ({}, {"required": True}, {"invalid": "anonymous"}):
        app = around(Echo(), public_paths=["/open"], **options)
        answer = await run(app, f"/{path}", method=method, **more)
        assert answer.status in {200, 400, 401, 403}
        sent = await converse(app, f"/{path}", subprotocols=offer, denial=True, **more)
        assert sent
        assert GOOD.decode() not in repr([m.get("subprotocol") for m in sent])


@pytest.mark.parametrize("choice", ["invalid", "preflight", "websocket_lifetime"])
def test_a_misspelt_choice_is_a_mistake(choice):
    with pytest.raises(ConfigurationError, match=choice):
        AuthenticationMiddleware(Echo(), JWTBackend(forge.verifier()), **{choice: "?"})


# ------------------------------------------------------- a loader and a second issuer


class Partners(Stub):
    """Somebody's backend that says nothing of its issuers."""

    def __init__(self, *callers):
        super().__init__()
        self.callers = iter(callers)

    async def authenticate(self, credential, scope):
        issuer, backend = next(self.callers)
        return Principal("7", issuer, backend=backend, is_authenticated=True)


A, B = "https://a.example", "https://b.example"


@pytest.mark.parametrize("second", [(B, "own"), (None, "own"), (None, "other")])
async def test_a_loader_of_subjects_stops_at_a_second_issuer(second):
    backend = Partners((A, "own"), (A, "own"), second, (A, "own"))
    loaded = []
    app = AuthenticationMiddleware(
        Echo(), backend, load_user=lambda p: loaded.append(p) or "ann"
    )
    for _ in range(2):
        assert (await run(app, headers=[bearer(GOOD)])).status == 200
    with pytest.raises(ConfigurationError, match="issuer_aware"):
        await run(app, headers=[bearer(GOOD)])
    assert len(loaded) == 2
    assert (await run(app, headers=[bearer(GOOD)])).status == 200


async def test_a_loader_that_looks_at_the_issuer_meets_as_many_as_there_are():
    backend = Partners((A, "own"), (B, "own"), (None, "own"))
    app = AuthenticationMiddleware(
        Echo(), backend, load_user=lambda p: "ann", issuer_aware=True
    )
    for _ in range(3):
        assert (await run(app, headers=[bearer(GOOD)])).status == 200
