"""Fixtures for pytest: name this module in the ``pytest_plugins`` of your conftest.

It is no entry point: no suite gets fixtures unasked for, and nothing of the package is
imported before a coverage measurement has begun.
"""

from __future__ import annotations

import pytest

from asgi_auth.testing.clock import FakeClock
from asgi_auth.testing.issuer import FakeIssuer

__all__ = ["auth_clock", "auth_issuer"]


@pytest.fixture
def auth_clock() -> FakeClock:
    """Give a clock that stands still, for everything that takes ``clock=``."""
    return FakeClock()


@pytest.fixture
def auth_issuer() -> FakeIssuer:
    """Give an identity provider of the test's own, with ``api`` as the audience."""
    return FakeIssuer()
