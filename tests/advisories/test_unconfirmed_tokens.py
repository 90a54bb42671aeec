"""A token that is bound to a key is no bearer token (RFC 9449, section 7.2; RFC 7800).

Whoever does not look at ``cnf`` makes a stolen token as good as it ever was.
"""

from __future__ import annotations

import json
from contextlib import suppress

import pytest

from asgi_auth import (
    BackendChain,
    BearerHeader,
    Cookie,
    InvalidTokenError,
    JWTBackend,
    KeySet,
    QueryParam,
    TokenService,
    Verification,
)
from asgi_auth._drivers.http import HTTPAnswer
from asgi_auth.backends import Client
from asgi_auth.backends.assertions import IAP_HEADER
from asgi_auth.backends.endpoint import IntrospectionEndpoint
from asgi_auth.backends.introspection import IntrospectionBackend
from asgi_auth.backends.issuers import IssuersBackend
from asgi_auth.backends.trusted import TrustedIssuer
from asgi_auth.credentials.reader import Credential
from asgi_auth.keys import Transport
from tests import forge

BOUND = {"jkt": "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"}
SHAPES = [BOUND, {"x5t#S256": "a"}, {"kid": "a"}, {}, [], "", 0, False, "jkt"]


def trusted(**options):
    return TrustedIssuer(
        forge.ISSUER,
        audience=forge.AUDIENCE,
        keys=forge.family("ES256").keys,
        clock=lambda: forge.NOW,
        **options,
    )


def introspection(**options):
    async def fetch(_url, _headers, body):
        said = {"active": True, "sub": "ada", "aud": forge.AUDIENCE}
        if b"bound" in body:
            said["cnf"] = BOUND
        return HTTPAnswer(200, {}, json.dumps(said).encode())

    return IntrospectionBackend(
        IntrospectionEndpoint(
            "https://issuer.example/introspect",
            client=Client(id="api", secret="secret"),
            transport=Transport(fetch),
        ),
        issuer=forge.ISSUER,
        audience=forge.AUDIENCE,
        **options,
    )


def verifying(options):
    return {"verification": Verification(skew=60, **options)}


BACKENDS = {
    "jwt": lambda **options: JWTBackend(forge.verifier("ES256", **options)),
    "jwt without a memory": lambda **options: JWTBackend(
        forge.verifier("ES256", cache_size=0, **options)
    ),
    "issuers": lambda **options: IssuersBackend(trusted(**verifying(options))),
    "assertions": lambda **options: IssuersBackend(
        trusted(**verifying(options)), sources=[IAP_HEADER]
    ),
    "chain": lambda **options: BackendChain(
        JWTBackend(forge.verifier("ES256", **options))
    ),
    "introspection": lambda **options: introspection(**verifying(options)),
}


async def known(backend, token, source="header"):
    """Return who sent *token*, by the quick way first, as the middleware does."""
    lane = backend.recognise(token, source)
    way = backend.sources[0].way
    credential = Credential(token, way[0], scheme=way[1])
    return lane or await backend.authenticate(credential, {"type": "http"})


def tokens_for(name):
    if name == "introspection":
        return b"plain", b"bound"
    return forge.token("ES256"), forge.token("ES256", cnf=BOUND)


@pytest.mark.parametrize("name", BACKENDS)
async def test_a_bound_token_is_refused_by_every_backend_each_time(name):
    backend = BACKENDS[name]()
    plain, bound = tokens_for(name)
    assert (await known(backend, plain)).subject == "ada"

    for _ in range(3):
        with pytest.raises(InvalidTokenError, match="cnf"):
            await known(backend, bound)


@pytest.mark.parametrize("name", BACKENDS)
async def test_an_option_with_a_bad_name_takes_it(name):
    backend = BACKENDS[name](insecure_ignore_confirmation=True)
    _, bound = tokens_for(name)
    for _ in range(2):
        assert (await known(backend, bound)).claims["cnf"] == BOUND


@pytest.mark.parametrize("shape", SHAPES)
async def test_a_confirmation_of_any_shape_counts(shape):
    for backend in (BACKENDS["jwt"](), BACKENDS["issuers"]()):
        with pytest.raises(InvalidTokenError):
            await known(backend, forge.token("ES256", cnf=shape))


async def test_null_is_no_confirmation():
    token = forge.sign(
        forge.header("ES256"),
        {**forge.claims(), "cnf": None},
        forge.family("ES256").key,
    )
    assert (await known(BACKENDS["jwt"](), token)).subject == "ada"


async def test_no_source_lends_it_to_another():
    sources = [BearerHeader(), Cookie("t"), QueryParam("t", http=True)]
    backend = JWTBackend(forge.verifier("ES256"), sources=sources)
    bound = forge.token("ES256", cnf=BOUND)
    for source in ("header", "cookie", "query", "header"):
        with pytest.raises(InvalidTokenError):
            backend.recognise(bound, source)
        with pytest.raises(InvalidTokenError):
            await backend.authenticate(Credential(bound, source), {"type": "http"})


async def test_a_token_that_was_confirmed_once_is_no_bearer_token_after():
    verifier = forge.verifier("ES256")
    lane = verifier.recaller("jwt", decides=True)
    confirmed = verifier.recaller("jwt", decides=True, confirmed=True)
    bound = forge.token("ES256", cnf=BOUND)

    first = confirmed(bound)
    assert confirmed(bound) is first
    assert confirmed(bound, "cookie") is not first
    with pytest.raises(InvalidTokenError):
        lane(bound)
    assert confirmed(bound) is first
    assert verifier.cache_stats().size == 1

    plain = forge.token("ES256")
    assert confirmed(plain, "cookie").source == "cookie"
    assert confirmed(plain) is lane(plain)


async def test_without_a_memory_it_is_confirmed_each_time():
    verifier = forge.verifier("ES256", cache_size=0)
    bound = forge.token("ES256", cnf=BOUND)
    assert (
        verifier.recaller("jwt", decides=True, confirmed=True)(bound).subject == "ada"
    )
    with pytest.raises(InvalidTokenError):
        verifier.recaller("jwt", decides=True)(bound)


async def test_a_service_hands_out_no_claims_of_it():
    keys = KeySet.generate("ES256")
    tokens = TokenService(keys, issuer=forge.ISSUER, audience=forge.AUDIENCE)
    bound = forge.sign(
        {"alg": "ES256", "typ": "at+jwt", "kid": keys.signing_key.kid},
        forge.fresh(cnf=BOUND, type="access"),
        keys.signing_key,
    ).decode()
    for _ in range(2):
        with pytest.raises(InvalidTokenError):
            await tokens.verify(bound)
        with suppress(InvalidTokenError):  # Even where it is remembered by now.
            tokens.verifier.recaller("jwt", decides=True, confirmed=True)(
                bound.encode()
            )

    claims = await tokens.verify(bound, insecure_ignore_confirmation=True)
    assert claims["cnf"] == BOUND
