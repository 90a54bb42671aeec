"""The tokens that the guides make by hand look like those of the real library."""

from __future__ import annotations

import json
import subprocess
import sys

import jwt
import pytest

from asgi_auth import (
    ExpiredTokenError,
    InvalidTokenError,
    KeySet,
    TokenVerifier,
)
from asgi_auth.tokens.claim_mapping import ClaimMapping

SECRET = "Xq3vN8kT1mZ7sP5wL9yR2bC6dF4gJ0hA-uEoIiOaHt"
DJANGO = ClaimMapping(subject="user_id", says={"token_type": "access"})

# Django has one configuration a process, and other tests have theirs.
MAKE = f"""
import json
from django.conf import settings
settings.configure(
    SECRET_KEY={SECRET!r},
    INSTALLED_APPS=["django.contrib.auth", "django.contrib.contenttypes"],
    USE_TZ=True,
)
import django
django.setup()
from django.contrib.auth.models import User
from rest_framework_simplejwt.tokens import RefreshToken
token = RefreshToken.for_user(User(id=7, username="ann"))
print(json.dumps([str(token.access_token), str(token)]))
"""


@pytest.fixture(scope="module")
def simplejwt():
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", MAKE],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return json.loads(done.stdout)


@pytest.fixture
def verifier():
    return TokenVerifier(
        KeySet.from_secret(SECRET), types=("jwt",), translate=DJANGO.translate
    )


def test_an_access_token_of_simplejwt_is_read(simplejwt, verifier):
    verified = verifier.verify(simplejwt[0].encode())

    assert verified.principal("header", "before").subject == "7"
    assert verified.claims["user_id"] == "7"
    said = jwt.decode(simplejwt[0], options={"verify_signature": False})
    assert {*said} == {"token_type", "exp", "iat", "jti", "user_id"}


def test_a_refresh_token_of_simplejwt_is_refused(simplejwt, verifier):
    with pytest.raises(InvalidTokenError):
        verifier.verify(simplejwt[1].encode())


@pytest.mark.parametrize("user", [True, None, 1.5, ["7"], {"id": 7}, "", "a\nb"])
def test_what_is_no_user_id_is_refused(verifier, user):
    said = {"token_type": "access", "exp": 2**31, "user_id": user}
    with pytest.raises(InvalidTokenError):
        verifier.verify(jwt.encode(said, SECRET).encode())


def test_a_sub_is_not_overruled_by_another_claim(verifier):
    said = {"token_type": "access", "exp": 1, "user_id": 8, "sub": "7"}
    with pytest.raises(ExpiredTokenError):
        verifier.verify(jwt.encode(said, SECRET).encode())

    clock = TokenVerifier(
        KeySet.from_secret(SECRET),
        types=("jwt",),
        translate=DJANGO.translate,
        clock=lambda: 0,
    )
    verified = clock.verify(jwt.encode(said, SECRET).encode())
    assert verified.principal("header", "before").subject == "7"
