"""``mint_token``: good tokens pass, and each fault is refused for what it is."""

from __future__ import annotations

import time

import jwt
import pytest

from asgi_auth import (
    ConfigurationError,
    ExpiredTokenError,
    InvalidTokenError,
    Key,
    KeySet,
    TokenService,
    Verification,
)
from asgi_auth.testing import TOKEN_FAULTS, FakeClock, FakeIssuer, mint_token
from asgi_auth.tokens.codec import peek
from tests.asgi import Echo, bearer, run
from tests.forge import SECRET
from tests.testing.applications import protect, token_service

ALGORITHMS = ["ES256", "HS256", "HS512", "RS256", "EdDSA"]


def service(algorithm="ES256", **options):
    if algorithm.startswith("HS"):
        keys = KeySet.from_secret(SECRET, algorithm)
    else:
        keys = KeySet.generate(algorithm)
    return TokenService(keys, issuer="https://api.example", audience="api", **options)


def parts(token):
    return peek(token.encode())


@pytest.mark.parametrize("algorithm", ALGORITHMS)
async def test_a_token_without_fault_is_good(algorithm):
    tokens = service(algorithm)
    said = await tokens.verify(mint_token(tokens, "bob", claims={"scope": "a b"}))
    assert (said["sub"], said["scope"]) == ("bob", "a b")


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("fault", TOKEN_FAULTS)
async def test_each_fault_is_refused(fault, algorithm):
    tokens = service(algorithm, verification=Verification(leeway=300, skew=300))
    expected = ExpiredTokenError if fault == "expired" else InvalidTokenError
    with pytest.raises(expected) as caught:
        await tokens.verify(mint_token(tokens, fault=fault))
    assert isinstance(caught.value, ExpiredTokenError) == (fault == "expired")


REASONS = {
    "foreign_key": "signature",
    "not_yet_valid": "lies ahead",
    "refresh_token": "another type",
    "tampered": "signature",
    "wrong_audience": "audience is another",
    "wrong_issuer": "issuer is another",
}


@pytest.mark.parametrize("fault", REASONS)
async def test_nothing_else_is_wrong_with_it(fault):
    tokens = service()
    with pytest.raises(InvalidTokenError, match=REASONS[fault]):
        await tokens.verify(mint_token(tokens, fault=fault))


@pytest.mark.parametrize("fault", TOKEN_FAULTS)
async def test_an_application_answers_401(fault):
    tokens = token_service()
    app = protect(Echo(), tokens, required=True)
    assert (await run(app, headers=[bearer(mint_token(tokens))])).status == 200
    refused = await run(app, headers=[bearer(mint_token(tokens, fault=fault))])
    assert refused.status == 401


def test_another_library_refuses_them_too():
    tokens = service("HS256")
    for fault in (None, *TOKEN_FAULTS):
        token = mint_token(tokens, fault=fault)
        try:
            jwt.decode(
                token,
                SECRET,
                ["HS256"],
                issuer="https://api.example",
                audience="api",
            )
        except jwt.InvalidTokenError:
            assert fault is not None
        else:
            assert fault is None


def test_unsigned_has_no_signature():
    header, _ = parts(token := mint_token(fault="unsigned"))
    assert header["alg"] == "none"
    assert token.endswith(".")


def test_the_clock_of_the_service_counts():
    clock = FakeClock(1_700_000_000.0)
    _, said = parts(mint_token(service(clock=clock)))
    assert (said["iat"], said["exp"]) == (1_700_000_000, 1_700_000_900)


async def test_any_claim_and_header_can_be_set_and_taken_out():
    tokens = service()
    changes = {"jti": None, "sub": 7, "acr": "mfa", "exp": None}
    token = mint_token(tokens, claims=changes, header={"typ": None, "x": 1})
    header, said = parts(token)

    assert not {"jti", "exp"} & said.keys()
    assert (said["sub"], said["acr"]) == (7, "mfa")
    assert "typ" not in header
    assert header["x"] == 1
    with pytest.raises(InvalidTokenError):
        await tokens.verify(token)


async def test_keys_alone_will_do():
    keys = KeySet.generate("ES256")
    for signer in (keys, *keys):
        said = await TokenService(keys).verify(mint_token(signer, "ada"))
        assert said["sub"] == "ada"
        assert not {"iss", "aud"} & said.keys()


async def test_without_keys_nobody_knows_the_key():
    first, second = (parts(mint_token())[0]["kid"] for _ in range(2))
    assert first != second
    with pytest.raises(InvalidTokenError):
        await service().verify(mint_token())


async def test_a_foreign_issuer_signs_as_well():
    issuer = FakeIssuer("https://idp.example", audience="orders")
    _, said = parts(mint_token(issuer, claims={"realm_access": {"roles": ["a"]}}))
    assert (said["iss"], said["aud"]) == ("https://idp.example", "orders")
    assert said["realm_access"]["roles"] == ("a",)


def test_unknown_faults_and_public_keys_are_told_of():
    with pytest.raises(ConfigurationError, match="expired, foreign_key"):
        mint_token(fault="rotten")
    with pytest.raises(ConfigurationError):
        mint_token(KeySet([Key.generate("ES256").public()]))


def test_times_are_near_the_present():
    _, said = parts(mint_token())
    assert abs(said["iat"] - time.time()) < 5
