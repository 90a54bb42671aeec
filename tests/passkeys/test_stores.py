"""Every store of passkeys keeps the contract, and shows no secret of its own."""

from __future__ import annotations

import itertools
import os

import pytest

from asgi_auth.errors import ConfigurationError, UnavailableError
from asgi_auth.passkeys import MemoryPasskeys, SQLPasskeys
from asgi_auth.testing import PasskeyStoreContract
from tests.postgres import postgres

_numbers = itertools.count(1)


@pytest.fixture(scope="module")
def postgres_url():
    """A PostgreSQL server of its own, in a new folder."""
    with postgres() as url:
        yield url


class TestMemoryPasskeys(PasskeyStoreContract):
    @pytest.fixture
    def passkeys(self):
        return MemoryPasskeys()


class TestSQLPasskeys(PasskeyStoreContract):
    @pytest.fixture(params=["sqlite", "postgres"])
    async def passkeys(self, request, tmp_path):
        url = f"sqlite:///{tmp_path / 'passkeys.db'}"
        if request.param == "postgres":
            url = request.getfixturevalue("postgres_url")
        store = SQLPasskeys(url, table=f"p{os.getpid()}_{next(_numbers)}")
        await store.create_schema()
        await store.create_schema()
        await store.ping()
        yield store
        await store.aclose()


@pytest.mark.anyio
async def test_a_database_without_the_table_says_so(tmp_path):
    store = SQLPasskeys(f"sqlite:///{tmp_path / 'empty.db'}")
    with pytest.raises(ConfigurationError, match="a table is missing"):
        await store.ping()
    await store.aclose()


@pytest.mark.anyio
async def test_a_database_that_is_down_is_an_outage():
    store = SQLPasskeys("postgresql://ann:secret@127.0.0.1:1/nowhere")
    with pytest.raises(UnavailableError):
        await store.find("one")
    assert "secret" not in repr(store)
    await store.aclose()
