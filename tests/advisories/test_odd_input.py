"""Odd input that cost much time, or that got through where it should not."""

from __future__ import annotations

import hmac
import sys
from contextlib import suppress

import pytest

from asgi_auth import (
    BackendChain,
    BearerHeader,
    ConfigurationError,
    Cookie,
    Header,
    InvalidTokenError,
    JWTBackend,
    KeySet,
    QueryParam,
    Subprotocol,
    TokenService,
)
from asgi_auth._encoding import b64url_encode, compact_json
from asgi_auth.credentials.credential import Credential
from asgi_auth.credentials.reader import CredentialReader
from asgi_auth.websocket.errors import BadMessageError
from asgi_auth.websocket.payload import decode
from tests.asgi import http_scope, websocket_scope

SECRET = "v8Qm2kX0r4TnWz7LpYc1Hs9GdUfJb6Ae3Ro5Ti"
SOURCES = [
    BearerHeader(),
    Header("X-Key"),
    Cookie("t"),
    QueryParam("t", http=True),
    Subprotocol(),
]


def calls(work):
    """Count the calls into Python that *work* makes: a measure without a clock."""
    count = 0

    def profile(frame, event, argument):
        nonlocal count
        count += event == "call"

    sys.setprofile(profile)
    try:
        work()
    finally:
        sys.setprofile(None)
    return count


FLOODS = {
    "query": lambda n: http_scope(query=b"&".join([b"t=a"] * n)),
    "cookies": lambda n: http_scope(headers=[(b"cookie", b"; ".join([b"t=a"] * n))]),
    "fields": lambda n: http_scope(headers=[(b"x-key", b"a")] * n),
    "subprotocols": lambda n: websocket_scope(subprotocols=["bearer", "a"] * n),
    "kubernetes": lambda n: websocket_scope(
        subprotocols=["base64url.bearer.authorization.YWJj"] * n
    ),
}


@pytest.mark.parametrize("flood", FLOODS)
def test_a_flood_of_credentials_is_read_no_further_than_the_second(flood):
    reader = CredentialReader(SOURCES)
    few, many = (FLOODS[flood](n) for n in (4, 4000))

    assert reader.read(FLOODS[flood](4)).error is not None
    assert calls(lambda: reader.read(many)) <= calls(lambda: reader.read(few))


@pytest.mark.parametrize("number", [2, 3, 100])
def test_no_token_of_a_flood_is_left_in_the_scope(number):
    reader = CredentialReader(SOURCES)
    scope = http_scope(query=b"&".join([b"t=secret", b"x=1"] * number))
    assert reader.read(scope).error is not None
    assert b"secret" not in scope["query_string"]
    assert scope["query_string"].count(b"x=1") == number

    scope = websocket_scope(subprotocols=["bearer", "secret", "chat"] * number)
    offer = reader.read(scope).offer
    assert "secret" not in offer.names
    assert offer.answer == "bearer"


# ------------------------------------------------------------------------- odd headers


@pytest.mark.parametrize("kid", [[], ["a"], {}, {"a": 1}, 7, None, True, 1.5])
@pytest.mark.parametrize("issuer", [None, "https://api.example"])
async def test_a_kid_of_an_odd_type_is_no_crash_in_a_chain(kid, issuer):
    keys = KeySet.from_secret(SECRET)
    chain = BackendChain(JWTBackend(TokenService(keys, issuer=issuer)))
    for iss in ({}, {"iss": kid}, {"iss": issuer}):
        head = b64url_encode(compact_json({"alg": "HS256", "kid": kid}))
        body = b64url_encode(compact_json({"sub": "a", "exp": 2**31, **iss}))
        credential = Credential(head + b"." + body + b".AAAA", "header")
        try:
            principal = await chain.authenticate(credential, http_scope())
        except InvalidTokenError:
            principal = None
        assert principal is None


# ---------------------------------------------------------------------------- odd JSON


@pytest.mark.parametrize(
    "text", ['{"x":1e999}', "[-1e999]", "1E400", '{"a":[{"b":9e99999}]}', "NaN"]
)
def test_a_number_that_json_has_not_is_refused_on_a_socket(text):
    with pytest.raises(BadMessageError):
        decode(text, "json")


def test_large_numbers_are_read_on_a_socket():
    assert decode('{"x":1e308,"y":-2.5}', "json") == {"x": 1e308, "y": -2.5}


@pytest.mark.parametrize("number", ["1e999", "-1e999", "NaN", "Infinity"])
@pytest.mark.parametrize("where", ['{"keys":[%s]}', '{"keys":[],"x":[%s]}'])
def test_a_number_that_json_has_not_is_refused_in_a_key_set(number, where):
    with pytest.raises(ConfigurationError):
        KeySet.from_jwks(where % number)


# What stands beside "kid" is not looked at, or the token is refused.
@pytest.mark.parametrize(
    "member", ["alg", "typ", "cty", "crit", "b64", "jku", "jwk", "x5u", "x5c", "x5t"]
)
@pytest.mark.parametrize("odd", [None, 7, -1.5, True, [], ["a"], {}, {"a": {}}, ""])
async def test_a_header_member_of_an_odd_type_is_no_error_of_ours(member, odd):
    tokens = TokenService(KeySet.from_secret(SECRET))
    head = {"alg": "HS256", "typ": "at+jwt", member: odd}
    body = tokens.mint("ann").split(".")[1]
    signed = b64url_encode(compact_json(head)) + b"." + body.encode()
    mark = b64url_encode(hmac.digest(SECRET.encode(), signed, "sha256"))
    credential = Credential(signed + b"." + mark, "header", scheme="bearer")
    chain = BackendChain(JWTBackend(tokens), JWTBackend(tokens, name="again"))
    for backend in (JWTBackend(tokens), chain):
        with suppress(InvalidTokenError):
            principal = await backend.authenticate(credential, http_scope())
            assert principal is None or principal.subject == "ann"
