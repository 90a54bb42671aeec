"""What tests of an application, or of a store of your own, are written with.

Not for use outside tests. Only ``StoreContract`` and the plugin need pytest.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from asgi_auth.errors import MissingExtraError
from asgi_auth.testing.clients import authenticated
from asgi_auth.testing.clock import FakeClock
from asgi_auth.testing.impersonation import as_user
from asgi_auth.testing.issuer import FakeIssuer
from asgi_auth.testing.minting import TOKEN_FAULTS, mint_token

if TYPE_CHECKING:
    from asgi_auth.testing.store_contract import StoreContract

__all__ = [
    "TOKEN_FAULTS",
    "FakeClock",
    "FakeIssuer",
    "StoreContract",
    "as_user",
    "authenticated",
    "mint_token",
]


def __getattr__(name: str) -> Any:
    """Import the contract of stores when it is asked for, as it needs pytest."""
    if name != "StoreContract":
        msg = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(msg)

    try:
        import pytest  # noqa: PLC0415
    except ImportError:
        msg = "StoreContract needs pytest: python -m pip install pytest anyio"
        raise MissingExtraError(msg) from None

    # Before its import, so that a failed assertion of the contract shows its values.
    pytest.register_assert_rewrite(
        "asgi_auth.testing.revocation_contract",
        "asgi_auth.testing.rotation_contract",
        "asgi_auth.testing.session_contract",
    )
    from asgi_auth.testing.store_contract import StoreContract  # noqa: PLC0415

    globals()[name] = StoreContract
    return StoreContract
