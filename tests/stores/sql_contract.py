"""The contract of stores on one store for the tests of a class, which they find empty.

To make a store, its tables and its connections takes much longer than what they test.
"""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from asgi_auth.stores.sql import SQLStore
from asgi_auth.testing import StoreContract
from tests.stores.sql_world import new_prefix

__all__ = ["SQLContract", "SharedContract"]


class SharedContract(StoreContract):
    """Needs a fixture ``stores`` for each class: a store and its peer."""

    @pytest.fixture(scope="class")
    @classmethod
    def anyio_backend(cls) -> str:
        """Keep one event loop for these tests: the connections belong to it."""
        return "asyncio"

    @pytest.fixture
    async def store(self, stores):
        store, _ = stores
        for table in store.metadata.sorted_tables:
            await store._database.fetch(sa.delete(table), {}, write=True)
        return store

    @pytest.fixture
    async def peer(self, store, stores):
        return stores[1]


class SQLContract(SharedContract):
    """Needs a fixture ``url`` for each class."""

    @pytest.fixture(scope="class")
    @classmethod
    async def stores(cls, url, anyio_backend):
        prefix = new_prefix()
        store, peer = (SQLStore(url, table_prefix=prefix) for _ in range(2))
        await store.create_schema()
        yield store, peer
        await peer.aclose()
        await store.aclose()
