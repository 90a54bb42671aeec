"""What every store of identities must do, on every store there is."""

from __future__ import annotations

import itertools
import os

import pytest

from asgi_auth.errors import ConfigurationError, UnavailableError
from asgi_auth.identities import Identity, MemoryIdentities, SQLIdentities
from asgi_auth.testing import IdentityStoreContract

_numbers = itertools.count(1)


@pytest.fixture(params=["memory", "sqlite", "postgres"])
async def identities(request, tmp_path):
    if request.param == "memory":
        yield MemoryIdentities()
        return

    url = f"sqlite:///{tmp_path / 'identities.db'}"
    if request.param == "postgres":
        url = request.getfixturevalue("postgres_url")
    store = SQLIdentities(url, table=f"i{os.getpid()}_{next(_numbers)}")
    await store.create_schema()
    await store.create_schema()
    yield store
    await store.aclose()


class TestStores(IdentityStoreContract):
    pass


@pytest.mark.anyio
async def test_a_store_without_its_table_says_so(tmp_path):
    store = SQLIdentities(f"sqlite:///{tmp_path / 'none.db'}")
    with pytest.raises(ConfigurationError):
        await store.ping()
    await store.create_schema()
    await store.ping()
    await store.aclose()


@pytest.mark.anyio
async def test_a_database_that_is_down_is_an_outage():
    url = "postgresql://ann:violet-otter@127.0.0.1:1/app"  # Nobody listens there.
    store = SQLIdentities(url)
    assert "violet-otter" not in repr(store)
    identity = Identity(issuer="https://a.example", subject="1", account_id="1")
    for verb in (
        store.find("https://a.example", "1"),
        store.add(identity),
        store.list("1"),
        store.remove(identity, unless_last=True),
        store.save_tokens(identity),
    ):
        with pytest.raises(UnavailableError):
            await verb
    await store.aclose()


def test_an_identity_has_a_name_that_shows_nothing():
    ours = Identity(issuer="https://a.example", subject="1", account_id=7)
    assert ours.account_id == "7"
    assert len(ours.id) == 22
    moved = [("https://a.example1", ""), ("https://a.exampl", "e1")]
    ids = {Identity(issuer=i, subject=s, account_id="7").id for i, s in moved}
    assert ours.id not in ids
    assert len(ids) == 2


def test_sealed_tokens_are_not_shown():
    identity = Identity(issuer="a", subject="1", account_id="7", tokens="1.sealed")
    assert "sealed" not in repr(identity)
