"""Fixtures that the tests of this folder share."""

from __future__ import annotations

import pytest

from asgi_auth.keys.jwks import JWKSClient
from asgi_auth.testing.clock import FakeClock
from tests.idp.issuer import provider


@pytest.fixture
def realm():
    return provider().realm()


@pytest.fixture
def clock():
    return FakeClock()


@pytest.fixture
async def client(realm, clock):
    made = JWKSClient(realm.jwks_uri, clock=clock, jitter=lambda: 0.0)
    yield made
    await made.aclose()
