from __future__ import annotations

import asyncio
import logging
from dataclasses import fields

import jwt
import pytest

from asgi_auth import (
    AuthConfig,
    ConfigurationError,
    ExpiredTokenError,
    InvalidTokenError,
    RevokedTokenError,
    SessionPolicy,
    TokenService,
    Verification,
)
from asgi_auth.keys import Key
from tests.sessions.service_world import DAY, KEYS, OTHER_KEYS, unverified


async def test_a_pair_has_what_rfc_6749_and_9068_ask_for(service, clock):
    pair = await service.issue(
        "42",
        scopes=["orders:read", "orders:write"],
        roles=["editor"],
        claims={"team": {"id": 7}},
        acr="mfa",
        amr=["pwd", "otp"],
    )

    now = int(clock())
    header = jwt.get_unverified_header(pair.access_token)
    said = unverified(pair.access_token)
    assert header == {"alg": "ES256", "typ": "at+jwt", "kid": KEYS.signing_key.kid}
    assert said.pop("jti")
    assert said.pop("sid").count(".") == 1
    assert said == {
        "iss": "https://api.example",
        "sub": "42",
        "aud": "api",
        "client_id": "api",
        "iat": now,
        "exp": now + 900,
        "type": "access",
        "scope": "orders:read orders:write",
        "roles": ["editor"],
        "team": {"id": 7},
        "auth_time": now,
        "acr": "mfa",
        "amr": ["pwd", "otp"],
    }
    assert (pair.token_type, pair.expires_in, pair.scope) == (
        "Bearer",
        900,
        "orders:read orders:write",
    )
    assert pair.refresh_expires_in == 7 * DAY


async def test_a_refresh_token_looks_like_no_api_token(service):
    pair = await service.issue("42", scopes=["orders:read"], roles=["editor"])

    said = unverified(pair.refresh_token)
    assert jwt.get_unverified_header(pair.refresh_token)["typ"] == "rt+jwt"
    assert said["aud"] == "urn:asgi-auth:refresh"
    assert not {"scope", "roles"} & said.keys()


async def test_a_pair_never_prints_its_tokens(service):
    pair = await service.issue("42")

    assert pair.access_token not in repr(pair)
    assert pair.refresh_token not in repr(pair)


async def test_verify_returns_read_only_claims(service):
    pair = await service.issue("42", roles=["user"])
    claims = await service.verify(pair.access_token)

    assert claims["sub"] == "42"
    with pytest.raises(TypeError):
        claims["roles"] = ["admin"]
    with pytest.raises(AttributeError):
        claims["roles"].append("admin")


@pytest.mark.parametrize(
    ("given", "expected"), [("access", "refresh"), ("refresh", "access")]
)
async def test_no_kind_of_token_passes_for_another(service, given, expected):
    pair = await service.issue("42")
    token = pair.access_token if given == "access" else pair.refresh_token

    assert await service.verify(token, given)
    with pytest.raises(InvalidTokenError):
        await service.verify(token, expected)


@pytest.mark.parametrize("kind", ["verify", "reset"])
async def test_a_link_token_is_good_for_its_own_purpose_only(service, kind):
    token = service.mint("42", kind=kind, ttl=600, claims={"h": "x"})

    assert (await service.verify(token, kind))["h"] == "x"
    for other in {"access", "refresh", "verify", "reset"} - {kind}:
        with pytest.raises(InvalidTokenError):
            await service.verify(token, other)


async def test_an_access_token_ends_after_its_time(service, clock):
    pair = await service.issue("42")
    clock.advance(899)
    await service.verify(pair.access_token)

    clock.advance(1)
    with pytest.raises(ExpiredTokenError):
        await service.verify(pair.access_token)


@pytest.mark.parametrize("token", ["", "x", "a.b.c", "é", "a" * 9000, "\ud800"])
async def test_garbage_is_an_invalid_token(service, token):
    with pytest.raises(InvalidTokenError):
        await service.verify(token)
    with pytest.raises(InvalidTokenError):
        await service.refresh(token)
    await service.revoke(token)


async def test_refresh_keys_are_not_the_published_ones(make):
    service = make(session_policy=SessionPolicy(refresh_keys=OTHER_KEYS))
    pair = await service.issue("42")

    kid = jwt.get_unverified_header(pair.refresh_token)["kid"]
    assert kid == OTHER_KEYS.signing_key.kid
    assert await service.refresh(pair.refresh_token)
    with pytest.raises(InvalidTokenError):
        await make().refresh(pair.refresh_token)


def test_refresh_keys_are_a_set_and_never_shown():
    assert repr(SessionPolicy(refresh_keys=OTHER_KEYS)) == repr(SessionPolicy())
    with pytest.raises(ConfigurationError, match="refresh_keys is a KeySet"):
        SessionPolicy(refresh_keys=OTHER_KEYS.signing_key)


async def test_several_audiences_are_listed_in_the_token(make):
    service = make(audience=["api", "files"])
    pair = await service.issue("42")

    assert unverified(pair.access_token)["aud"] == ["api", "files"]
    assert await make(audience="files").verify(pair.access_token)


async def test_a_service_without_issuer_makes_tokens_without_one(make):
    service = make(issuer=None)
    pair = await service.issue("42")

    assert "iss" not in unverified(pair.access_token)
    second = await service.refresh(pair.refresh_token)
    await service.revoke_subject("42")
    with pytest.raises(RevokedTokenError):
        await service.verify(second.access_token)


@pytest.mark.parametrize(
    "wrong",
    [
        {"subject": ""},
        {"subject": "a\x00b"},
        {"subject": "x" * 256},
        {"subject": True},
        {"subject": 4.2},
        {"scopes": ["two words"]},
        {"scopes": ['quo"te']},
        {"scopes": ["authenticated"]},
        {"scopes": "orders:read"},
        {"roles": "admin"},
        {"claims": {"sub": "43"}},
        {"claims": {"exp": 1}},
        {"claims": {"token_use": "id"}},
    ],
)
async def test_what_no_verifier_would_take_is_not_issued(service, wrong):
    arguments = {"subject": "42", **wrong}
    subject = arguments.pop("subject")

    with pytest.raises(ConfigurationError):
        await service.issue(subject, **arguments)
    with pytest.raises(ConfigurationError):
        service.mint(subject, **arguments)
    assert await service.sessions("42") == []


def test_a_minted_token_cannot_outlive_what_revocation_covers(service):
    with pytest.raises(ConfigurationError, match="lives 900 seconds"):
        service.mint("42", ttl=901)


@pytest.mark.parametrize(
    "wrong",
    [
        {"access_ttl": 0},
        {"access_ttl": DAY + 1},
        {"refresh_ttl": 10},
        {"session_ttl": 367 * DAY},
        {"grace": -1},
        {"grace": 61},
        {"max_sessions": 0},
        {"retry_from": "planet"},
        {"audience": ""},
        {"audience": []},
        {"client_id": ""},
        {"verification": Verification(cache_size=-1)},
    ],
)
def test_settings_out_of_bounds_are_refused(make, wrong):
    names = {field.name for field in fields(SessionPolicy)}
    with pytest.raises(ConfigurationError):
        make(session_policy=SessionPolicy(**wrong)) if names & wrong.keys() else make(
            **wrong
        )


async def test_a_service_can_be_made_from_settings(clock):
    config = AuthConfig(
        secret_key="JqmJSGpE7Cqh_Hn8vWTz8qIxfNnr1ZjjkCkd4KzqWxE",
        access_token_expire_minutes=5,
        refresh_token_expire_days=60,
        issuer="https://api.example",
        audience="api",
    )
    service = TokenService.from_config(config, clock=clock)
    pair = await service.issue("42")

    assert pair.expires_in == 300
    assert pair.refresh_expires_in == 60 * DAY
    assert (await service.verify(pair.access_token))["sub"] == "42"


async def test_nothing_secret_reaches_a_log_an_event_or_an_error(
    service, clock, heard, caplog
):
    caplog.set_level(logging.DEBUG)
    first = await service.issue("42")
    second = await service.refresh(first.refresh_token)
    clock.advance(31)
    said = []
    for token in (first.refresh_token, second.access_token, second.refresh_token + "x"):
        with pytest.raises(InvalidTokenError) as refused:
            await service.refresh(token)
        said.append(repr(refused.value))

    await asyncio.sleep(0)
    text = " ".join([*said, *map(repr, heard.events), caplog.text])
    for pair in (first, second):
        for token in (pair.access_token, pair.refresh_token):
            assert token.split(".")[2] not in text


async def test_closing_twice_is_harmless(service):
    await service.aclose()
    await service.aclose()


@pytest.mark.parametrize("keys", [Key.generate("ES256"), "x" * 64, None])
def test_keys_that_are_no_set_are_refused_with_a_sentence(keys):
    with pytest.raises(ConfigurationError, match=r"KeySet\(\[key\]\)"):
        TokenService(keys)
