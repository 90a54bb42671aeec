"""What is allowed and dangerous is a warning where it is set up."""

from __future__ import annotations

import secrets

import pytest

from asgi_auth import (
    KeySet,
    MemoryStore,
    RevocationList,
    SessionPolicy,
    TokenService,
    TokenVerifier,
    Verification,
)
from asgi_auth.backends import (
    Client,
    IntrospectionBackend,
    IntrospectionEndpoint,
    TrustedIssuer,
)
from asgi_auth.keys import JWKSClient, Transport
from asgi_auth.passwords import PasswordHasher
from asgi_auth.ratelimit import RateLimiter
from asgi_auth.routes import Cookies
from tests.routes.world import World

KEYS = KeySet.from_secret(secrets.token_bytes(32))


async def fetch(*args, **kwargs):
    raise AssertionError


def introspection(**options):
    return IntrospectionBackend(
        IntrospectionEndpoint(
            "https://idp.example/introspect",
            client=Client(id="api", secret="hunter2"),
            transport=Transport(fetch),
        ),
        issuer="https://idp.example",
        audience="api",
        **options,
    )


DANGERS = {
    "insecure_unlimited": lambda: RateLimiter(insecure_unlimited=True),
    "insecure_keep_rights": lambda: World(
        tokens={"session_policy": SessionPolicy(insecure_keep_rights=True)}
    ),
    "insecure_for_localhost": lambda: World(
        delivery="cookie", cookies=Cookies(insecure_for_localhost=True)
    ),
    "insecure_cut_bcrypt": lambda: PasswordHasher(insecure_cut_bcrypt=True),
    "insecure_ignore_confirmation": lambda: TokenVerifier(
        KEYS, verification=Verification(insecure_ignore_confirmation=True)
    ),
    "insecure_ignore_confirmation: tokens": lambda: introspection(
        verification=Verification(insecure_ignore_confirmation=True)
    ),
    "insecure_ignore_confirmation: tokens that": lambda: TokenService(
        KEYS, verification=Verification(insecure_ignore_confirmation=True)
    ),
    "insecure_pass_when_down": lambda: RateLimiter(insecure_pass_when_down=True),
    "insecure_accept_stale": lambda: RevocationList(
        MemoryStore(), insecure_accept_stale=True
    ),
    "over http": lambda: JWKSClient(
        "http://idp:8080/jwks", transport=Transport(insecure_http=True)
    ),
}


@pytest.mark.parametrize("word", DANGERS)
def test_a_dangerous_setting_is_one_warning(word, caplog):
    DANGERS[word]()
    lines = [r for r in caplog.records if word in r.getMessage()]
    assert [record.levelname for record in lines] == ["WARNING"]


def test_the_usual_settings_warn_of_nothing(caplog):
    World(delivery="cookie")
    PasswordHasher()
    TrustedIssuer(
        "https://idp.example", audience="api", keys=KEYS, algorithms=["HS256"]
    )
    introspection()
    assert not [r for r in caplog.records if "insecure" in r.getMessage()]


def test_an_issuer_whose_keys_come_later_warns_once_and_before(caplog):
    TrustedIssuer(
        "https://idp.example",
        audience="api",
        verification=Verification(insecure_ignore_confirmation=True),
        transport=Transport(fetch),
    )
    warnings = [r for r in caplog.records if r.levelname == "WARNING"]
    assert len(warnings) == 1
    assert "insecure_ignore_confirmation" in warnings[0].getMessage()
