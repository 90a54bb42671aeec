"""Keys of the product within pass as nobody's; ours that are bad do not pass."""

from __future__ import annotations

import logging

import pytest

from asgi_auth import (
    AuthenticationMiddleware,
    BackendChain,
    BearerHeader,
    Cookie,
    JWTBackend,
    QueryParam,
    RefusalPolicy,
    UnavailableError,
    issuer_aware,
    requires,
)
from asgi_auth.accounts.basic import BasicBackend
from asgi_auth.backends.apikey import APIKeyBackend
from asgi_auth.backends.apikeys import APIKeys, MemoryAPIKeys
from tests import forge
from tests.asgi import Echo, bearer, converse, cookie, denial_of, run

SOURCES = (BearerHeader(), Cookie("access"), QueryParam("token", http=True))
GOOD = forge.token()
EXPIRED = forge.token(exp=forge.NOW - 1)
FORGED = forge.token(key=forge.family("HS256").stranger)
FOREIGN = forge.token(iss="https://another.example")
THEIRS = [b"sk-proj-1234567890", b"glsa_abc.def", b"x", FOREIGN, b"a.b.c"]


def keys():
    return APIKeyBackend(
        APIKeys(MemoryAPIKeys(), prefix="ours"), sources=[BearerHeader()]
    )


def around(app, backend=None, **options):
    backend = backend or JWTBackend(forge.verifier(), sources=SOURCES)
    policy = RefusalPolicy(invalid="refuse_claimed")
    return AuthenticationMiddleware(app, backend, refusal_policy=policy, **options)


@pytest.fixture(params=["jwt", "chain"])
def backend(request):
    jwt = JWTBackend(forge.verifier(), sources=SOURCES)
    return jwt if request.param == "jwt" else BackendChain(keys(), jwt)


@pytest.mark.parametrize("key", THEIRS)
async def test_a_key_that_no_backend_claims_reaches_the_app_as_nobodys(backend, key):
    app = around(echo := Echo(), backend)
    assert (await run(app, headers=[bearer(key)])).status == 200
    scope = echo.scopes[0]
    assert bearer(key) in scope["headers"]
    assert not scope["auth"].is_authenticated
    assert scope["auth"].error.code == "invalid_token"
    await converse(app, headers=[bearer(key)])
    assert echo.calls == 2


@pytest.mark.parametrize("token", [EXPIRED, FORGED, GOOD[:-2], GOOD + b"A"])
async def test_what_is_claimed_and_bad_is_refused(backend, token):
    app = around(echo := Echo(), backend)
    assert (await run(app, headers=[bearer(token)])).status == 401
    assert (await run(app, query=b"token=" + token)).status == 401
    denied = await converse(app, headers=[bearer(token)], denial=True)
    assert denial_of(denied).status == 401
    assert echo.calls == 0


@pytest.mark.parametrize(
    "headers",
    [
        [bearer(b"x"), bearer(b"y")],
        [bearer(b"a" * 9000)],
        [bearer(b"")],
        [bearer(b"x"), bearer(GOOD)],
    ],
    ids=["two", "long", "empty", "two, one ours"],
)
async def test_what_nobody_can_make_out_is_refused(backend, headers):
    app = around(echo := Echo(), backend)
    assert (await run(app, headers=headers)).status in {400, 401}
    assert echo.calls == 0


async def test_a_good_token_is_known_as_ever(backend):
    app = around(echo := Echo(), backend)
    await run(app, headers=[bearer(GOOD)])
    assert echo.scopes[0]["auth"].subject == "ada"


async def test_a_forged_key_of_ours_is_refused():
    app = around(Echo(), BackendChain(keys(), JWTBackend(forge.verifier())))
    assert (await run(app, headers=[bearer(b"ours_abc_def")])).status == 401
    assert (await run(around(Echo(), keys()), headers=[bearer(b"x")])).status == 200


async def test_a_guard_below_refuses_whom_nobody_knows(backend):
    answer = await run(around(requires()(Echo()), backend), headers=[bearer(b"x")])
    assert (answer.status, answer.json()["code"]) == (401, "invalid_token")


@pytest.mark.parametrize("key", THEIRS)
async def test_where_a_caller_is_required_nothing_passes(backend, key):
    app = around(echo := Echo(), backend, required=True)
    assert (await run(app, headers=[bearer(key)])).status == 401
    assert echo.calls == 0


async def test_a_user_that_is_unknown_is_refused(backend):
    app = around(Echo(), backend, load_user=issuer_aware(lambda _: None))
    assert (await run(app, headers=[bearer(GOOD)])).status == 401


class Opaque:
    """Knows no shapes: what it refuses was its own."""

    name = "opaque"
    sources = (BearerHeader(),)
    challenges = ()

    def __init__(self, error):
        self._error = error

    async def authenticate(self, credential, scope):
        raise self._error


class Delegating(Opaque):
    """Hands on what it does not know itself, as wrappers do."""

    def __getattr__(self, name):
        return getattr(JWTBackend(forge.verifier()), name)


async def test_a_backend_without_shapes_claims_all_that_it_refuses():
    from asgi_auth import InvalidTokenError

    for kind in (Opaque, Delegating):
        app = around(Echo(), kind(InvalidTokenError()))
        assert (await run(app, headers=[bearer(b"x")])).status == 401


async def test_an_outage_is_no_credential_of_somebody_else():
    app = around(Echo(), Opaque(UnavailableError()))
    assert (await run(app, headers=[bearer(b"x")])).status == 503


async def test_another_scheme_and_a_stale_cookie_are_what_they_were(backend):
    app = around(echo := Echo(), backend)
    await run(app, headers=[(b"authorization", b"Basic eDp5"), cookie(EXPIRED)])
    assert echo.scopes[0]["auth"].error.code == "token_expired"


async def test_a_wrong_password_is_refused():
    basic = BasicBackend(lambda *_: None, realm="shop")
    app = around(Echo(), BackendChain(JWTBackend(forge.verifier()), basic))
    headers = [(b"authorization", b"Basic none")]
    assert (await run(app, headers=headers)).status == 401


def chained():
    return BackendChain(keys(), JWTBackend(forge.verifier(), sources=SOURCES))


async def test_the_log_says_whose_token_it_is_instead(caplog):
    """Another host name of the issuer is the commonest fault of a set-up."""
    app = AuthenticationMiddleware(Echo(), chained())
    with caplog.at_level(logging.DEBUG, "asgi_auth"):
        for _ in range(2):
            assert (await run(app, headers=[bearer(FOREIGN)])).status == 401
    (warning,) = (r.getMessage() for r in caplog.records if r.levelname == "WARNING")
    reason = f"iss is 'https://another.example', expected {forge.ISSUER!r}"
    assert reason in warning
    refusals = [r.getMessage() for r in caplog.records if r.levelname == "DEBUG"]
    assert sum(reason in line for line in refusals) == 2
    assert FOREIGN.decode() not in caplog.text


async def test_strangers_cannot_fill_the_log(caplog):
    app = AuthenticationMiddleware(Echo(), chained())
    for number in range(20):
        token = forge.token(iss=f"https://{number}.example/\n" + "x" * 1000)
        assert (await run(app, headers=[bearer(token)])).status == 401
    lines = [r.getMessage() for r in caplog.records]
    assert len(lines) == 5
    assert all(len(line) < 500 and "\n" not in line for line in lines)


async def test_what_passes_as_somebody_elses_is_no_warning(caplog):
    app = around(Echo(), chained())
    assert (await run(app, headers=[bearer(FOREIGN)])).status == 200
    assert not caplog.records
