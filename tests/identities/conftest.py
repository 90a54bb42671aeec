"""Real servers for the tests of identities."""

from __future__ import annotations

from tests.accounts.conftest import postgres_url

__all__ = ["postgres_url"]
