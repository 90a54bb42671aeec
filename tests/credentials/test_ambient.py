"""What a proxy adds to each request, beside what the client sends on purpose."""

from __future__ import annotations

import pytest

from asgi_auth import (
    AuthenticationMiddleware,
    BackendChain,
    BearerHeader,
    Cookie,
    InvalidRequestError,
    InvalidTokenError,
    JWTBackend,
    QueryParam,
    TokenService,
)
from asgi_auth.backends.issuers import IssuersBackend
from asgi_auth.backends.trusted import TrustedIssuer
from asgi_auth.credentials.reader import CredentialReader
from asgi_auth.credentials.sources import Header
from tests.asgi import Echo, bearer, http_scope, run, websocket_scope
from tests.forge import AUDIENCE, ISSUER, family, fresh, header, sign

ASSERTION = Header("Cf-Access-Jwt-Assertion", ambient=True)
NAME = b"cf-access-jwt-assertion"
SOURCES = (BearerHeader(), ASSERTION, Header("X-Key"), QueryParam(http=True))
READ = CredentialReader((*SOURCES, Cookie("access"))).read


def read(*headers, **more):
    return READ(http_scope(headers=headers, **more))


def test_it_counts_where_nothing_else_came():
    found = read((NAME, b" abc\t"))
    assert (found.token, found.source, found.explicit) == (b"abc", "header", False)
    assert found.way == ASSERTION.way
    assert READ(websocket_scope(headers=[(NAME, b"abc")])).token == b"abc"


def test_what_the_client_chose_beats_it():
    assert read((NAME, b"abc"), bearer(b"mine")).token == b"mine"
    assert read(bearer(b"ey.mine"), (NAME, b"abc")).token == b"ey.mine"
    assert read((NAME, b"abc"), (b"x-key", b"k")).token == b"k"
    assert read((NAME, b"abc"), query_string=b"token=q").token == b"q"
    assert isinstance(read((NAME, b"a"), bearer(b"a b")).error, InvalidRequestError)


def test_it_beats_a_cookie_and_only_then():
    cookie = (b"cookie", b"access=c")
    assert read((NAME, b"abc"), cookie).token == b"abc"
    assert read(cookie).token == b"c"


def test_two_are_one_too_many():
    for other in (b"abc", b"x"):
        found = read((NAME, b"abc"), (NAME, other))
        assert isinstance(found.error, InvalidRequestError)
        assert not found.explicit
        assert found.token == b""


@pytest.mark.parametrize("value", [b"", b"a b", b"a" * 8193])
def test_what_is_no_token_is_bad_and_stays_ambient(value):
    found = read((NAME, value))
    assert isinstance(found.error, InvalidRequestError | InvalidTokenError)
    assert not found.explicit


def test_a_name_in_both_ways_is_there_on_purpose():
    both = CredentialReader((ASSERTION, Header("Cf-Access-Jwt-Assertion"))).read
    assert both(http_scope(headers=[(NAME, b"abc")])).explicit


# ----------------------------------------------------------------------- in a chain


@pytest.fixture
def own():
    return TokenService(family("ES256").keys, issuer="https://own.example")


@pytest.fixture
def app(own):
    access = TrustedIssuer(ISSUER, audience=AUDIENCE, keys=family("ES256").keys)
    chain = BackendChain(
        JWTBackend(own), IssuersBackend(access, sources=(ASSERTION,), name="access")
    )
    return AuthenticationMiddleware(Echo(), chain, required=True)


def assertion(**more):
    return NAME, sign(header("ES256"), fresh(**more), family("ES256").key)


async def test_the_own_token_beside_an_assertion_says_who_calls(app, own):
    mine = (await own.issue("ben")).access_token.encode()
    answer = await run(app, headers=[bearer(mine), assertion()])
    assert answer.json()["subject"] == "ben"
    answer = await run(app, headers=[assertion()])
    assert answer.json()["subject"] == "ada"
    # Nobody falls back on the assertion because the own token is bad.
    answer = await run(app, headers=[bearer(mine + b"x"), assertion()])
    assert answer.status == 401


async def test_an_assertion_in_the_place_of_the_own_token_is_refused(app, own):
    answer = await run(app, headers=[bearer(assertion()[1])])
    assert answer.status == 401
    mine = (await own.issue("ben")).access_token.encode()
    assert (await run(app, headers=[(NAME, mine)])).status == 401


async def test_a_foreign_page_cannot_use_the_assertion(app, own):
    origin = (b"origin", b"https://evil.example")
    for method, status in (("POST", 403), ("GET", 200)):
        answer = await run(app, method=method, headers=[assertion(), origin])
        assert answer.status == status
    mine = (await own.issue("ben")).access_token.encode()
    answer = await run(app, method="POST", headers=[assertion(), origin, bearer(mine)])
    assert answer.status == 200
