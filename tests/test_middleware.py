from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asgi_auth import (
    ANONYMOUS,
    AuthenticationMiddleware,
    ExpiredTokenError,
    InvalidTokenError,
    Principal,
    RefusalPolicy,
    UnavailableError,
    requires,
)
from tests.asgi import (
    Echo,
    bearer,
    converse,
    cookie,
    denial_of,
    run,
)
from tests.middleware_world import (
    EVERYWHERE,
    EXPIRED,
    FORGED,
    GOOD,
    LENIENT,
    OUR_PAGE,
    Stub,
    around,
    caller,
)

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
    app = around(echo := Echo(), refusal_policy=RefusalPolicy(invalid="anonymous"))
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
    app = around(
        echo := Echo(), required=True, refusal_policy=RefusalPolicy(invalid="anonymous")
    )
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
@pytest.mark.parametrize("options", [{}, {"required": True}, LENIENT])
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
    for options in ({}, {"required": True}, LENIENT):
        app = around(Echo(), public_paths=["/open"], **options)
        answer = await run(app, f"/{path}", method=method, **more)
        assert answer.status in {200, 400, 401, 403}
        sent = await converse(app, f"/{path}", subprotocols=offer, denial=True, **more)
        assert sent
        assert GOOD.decode() not in repr([m.get("subprotocol") for m in sent])
