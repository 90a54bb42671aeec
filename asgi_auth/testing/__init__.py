"""What tests of an application, or of a store of your own, are written with.

It needs pytest, and is not for use outside tests.
"""

from __future__ import annotations

import pytest

from asgi_auth.testing.clock import FakeClock

# Before its import, so that a failed assertion of the contract shows its values.
pytest.register_assert_rewrite(
    "asgi_auth.testing.revocation_contract",
    "asgi_auth.testing.rotation_contract",
    "asgi_auth.testing.session_contract",
)

from asgi_auth.testing.store_contract import StoreContract  # noqa: E402

__all__ = ["FakeClock", "StoreContract"]
