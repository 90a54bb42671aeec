"""The contract of stores of second factors, on every one of ours."""

from __future__ import annotations

import itertools
import os

import pytest

from asgi_auth.errors import ConfigurationError, UnavailableError
from asgi_auth.factors import MemoryFactors, SQLFactors
from asgi_auth.testing import FactorStoreContract

_numbers = itertools.count(1)


class TestMemory(FactorStoreContract):
    @pytest.fixture
    async def store(self):
        return MemoryFactors()


class TestSQLite(FactorStoreContract):
    @pytest.fixture
    async def store(self, tmp_path):
        store = SQLFactors(f"sqlite:///{tmp_path / 'factors.db'}")
        await store.create_schema()
        yield store
        await store.aclose()

    @pytest.fixture
    async def peer(self, store, tmp_path):
        peer = SQLFactors(f"sqlite:///{tmp_path / 'factors.db'}")
        yield peer
        await peer.aclose()


class TestPostgres(FactorStoreContract):
    @pytest.fixture
    async def store(self, postgres_url):
        self.table = f"f{os.getpid()}_{next(_numbers)}"
        store = SQLFactors(postgres_url, table=self.table)
        await store.create_schema()
        yield store
        await store.aclose()

    @pytest.fixture
    async def peer(self, store, postgres_url):
        peer = SQLFactors(postgres_url, table=self.table)
        yield peer
        await peer.aclose()


async def test_a_database_that_lacks_the_table_is_named_and_not_its_password(tmp_path):
    store = SQLFactors(f"sqlite:///{tmp_path / 'empty.db'}")
    assert repr(store).startswith("SQLFactors(")
    with pytest.raises(ConfigurationError, match="create_schema"):
        await store.ping()
    await store.create_schema()
    await store.create_schema()
    await store.ping()
    await store.aclose()


async def test_a_database_that_is_down_is_an_outage(tmp_path):
    store = SQLFactors(f"sqlite:///{tmp_path / 'no' / 'such' / 'folder.db'}")
    with pytest.raises(UnavailableError):
        await store.find("1")
    await store.aclose()
