"""What every store must do, as tests to run on a store of your own.

They know nothing about how it keeps things, and do not test its outages. They need
pytest and asyncio.
"""

from __future__ import annotations

import pytest

from asgi_auth.stores.base import Store
from asgi_auth.testing.listing_contract import ListingContract
from asgi_auth.testing.once_contract import OnceContract
from asgi_auth.testing.revocation_contract import RevocationContract
from asgi_auth.testing.rotation_contract import RotationContract
from asgi_auth.testing.session_contract import SessionContract

__all__ = ["StoreContract"]


class StoreContract(
    SessionContract,
    ListingContract,
    RotationContract,
    RevocationContract,
    OnceContract,
):
    """Subclass it, and give it a fixture ``store``.

    .. code-block:: python

        class TestMyStore(StoreContract):
            @pytest.fixture
            async def store(self):
                store = MyStore()
                yield store
                await store.aclose()

            @pytest.fixture
            async def peer(self):
                return MyStore()

    ``store`` is a store with nothing in it, or one that the tests share. ``peer`` is a
    second object over the same data, as another process has it; without the fixture
    it is the same object. Async tests and fixtures run by the pytest plugin of anyio.
    """

    @pytest.fixture
    def anyio_backend(self) -> str:
        """Run on asyncio."""
        return "asyncio"

    @pytest.fixture
    async def peer(self, store: Store) -> Store:
        """Stand in where a store has no second object over the same data."""
        return store
