"""What tests of an application, or of a store or backend of its own, are written with.

Not for use outside tests. Only the contracts and the plugin need pytest.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from asgi_auth.errors import MissingExtraError
from asgi_auth.testing.clients import authenticated
from asgi_auth.testing.clock import FakeClock
from asgi_auth.testing.impersonation import as_user
from asgi_auth.testing.issuer import FakeIssuer
from asgi_auth.testing.minting import TOKEN_FAULTS, mint_token

if TYPE_CHECKING:
    from asgi_auth.testing.backend_contract import BackendContract, BackendSample
    from asgi_auth.testing.factor_contract import FactorStoreContract
    from asgi_auth.testing.identity_contract import IdentityStoreContract
    from asgi_auth.testing.passkey_contract import PasskeyStoreContract
    from asgi_auth.testing.store_contract import StoreContract

__all__ = [
    "TOKEN_FAULTS",
    "BackendContract",
    "BackendSample",
    "FactorStoreContract",
    "FakeClock",
    "FakeIssuer",
    "IdentityStoreContract",
    "PasskeyStoreContract",
    "StoreContract",
    "as_user",
    "authenticated",
    "mint_token",
]


_CONTRACTS = {
    "BackendContract": "backend_contract",
    "BackendSample": "backend_contract",
    "FactorStoreContract": "factor_contract",
    "PasskeyStoreContract": "passkey_contract",
    "IdentityStoreContract": "identity_contract",
    "StoreContract": "store_contract",
}


def __getattr__(name: str) -> Any:
    """Import a contract when it is asked for, as it needs pytest."""
    if name not in _CONTRACTS:
        msg = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(msg)

    try:
        import pytest  # noqa: PLC0415
    except ImportError:
        msg = f"{name} needs pytest: python -m pip install pytest anyio"
        raise MissingExtraError(msg) from None

    # Before its import, so that a failed assertion of the contract shows its values.
    pytest.register_assert_rewrite(
        "asgi_auth.testing.backend_contract",
        "asgi_auth.testing.factor_contract",
        "asgi_auth.testing.passkey_contract",
        "asgi_auth.testing.identity_contract",
        "asgi_auth.testing.revocation_contract",
        "asgi_auth.testing.rotation_contract",
        "asgi_auth.testing.session_contract",
    )
    module = import_module(f"asgi_auth.testing.{_CONTRACTS[name]}")
    return globals().setdefault(name, getattr(module, name))
