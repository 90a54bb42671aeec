from __future__ import annotations

import json

import pytest

from asgi_auth import (
    BackendChain,
    JWTBackend,
    KeySet,
    MemoryStore,
    RevocationList,
    TokenService,
)
from asgi_auth.accounts.sql import SQLAccounts
from asgi_auth.backends import Client
from asgi_auth.backends.apikey import APIKeyBackend
from asgi_auth.backends.apikeys import APIKeys, MemoryAPIKeys, SQLAPIKeys
from asgi_auth.backends.endpoint import IntrospectionEndpoint
from asgi_auth.backends.introspection import IntrospectionBackend
from asgi_auth.backends.issuers import IssuersBackend
from asgi_auth.backends.trusted import TrustedIssuer
from asgi_auth.errors import ConfigurationError, UnavailableError
from asgi_auth.keys import Transport
from asgi_auth.stores.redis import RedisStore
from asgi_auth.stores.sql import SQLStore
from tests.forge import SECRET
from tests.stores.valkey import valkey_server

ISSUER = "https://issuer.example"
DOWN = "redis://127.0.0.1:1/0"


@pytest.fixture
def sqlite(tmp_path):
    return f"sqlite:///{tmp_path / 'store.db'}"


def service(store):
    return TokenService(KeySet.from_secret(SECRET), store=store)


async def test_in_memory_all_is_ready():
    tokens = service(MemoryStore())
    await tokens.store.ping()
    assert await tokens.ready()
    assert await JWTBackend(tokens).ready()
    assert await JWTBackend(tokens.verifier).ready()


async def test_who_cannot_load_what_is_revoked_is_not_ready():
    tokens = service(RedisStore(DOWN))
    assert not await tokens.ready()
    assert not await JWTBackend(tokens).ready()
    with pytest.raises(UnavailableError):
        await tokens.store.ping()

    await tokens.aclose()


@pytest.mark.parametrize("kind", [SQLStore, SQLAccounts, SQLAPIKeys])
async def test_a_database_without_its_tables_is_not_ready(sqlite, kind):
    store = kind(sqlite)
    with pytest.raises(ConfigurationError, match="a table is missing"):
        await store.ping()

    await store.create_schema()
    await store.ping()
    await store.aclose()


async def test_a_database_with_the_tables_of_an_older_version_is_not_ready(sqlite):
    store = SQLAccounts(sqlite)
    await store.create_schema()
    column = next(c.name for c in store._table.columns if c.nullable)
    async with store._database._lives.here().engine.connect() as connection:
        await connection.exec_driver_sql(
            f"ALTER TABLE {store._table.name} DROP COLUMN {column}"
        )

    name = rf"a column is missing \({store._table.name}\.{column}\)"
    with pytest.raises(ConfigurationError, match=name):
        await store.ping()

    await store.aclose()


async def test_no_schema_is_no_crash_of_a_probe(sqlite):
    tokens = service(SQLStore(sqlite))
    assert not await tokens.ready()
    await tokens.store.create_schema()
    assert await tokens.ready()
    await tokens.aclose()
    await tokens.store.aclose()


async def test_a_redis_that_comes_up_makes_ready():
    with valkey_server() as server:
        tokens = service(RedisStore(server.url))
        await tokens.store.ping()
        assert await tokens.ready()
        await tokens.aclose()
        await tokens.store.aclose()


def trusted(*statuses):
    answers = iter(statuses)
    keys = KeySet.generate("ES256").to_jwks()

    async def fetch(url, headers, body):
        return next(answers), {}, json.dumps(keys).encode()

    uri = f"{ISSUER}/keys"
    return IssuersBackend(
        TrustedIssuer(ISSUER, audience="api", keys=uri, transport=Transport(fetch))
    )


async def test_an_issuer_is_ready_with_its_keys():
    assert not await trusted(500).ready()
    backend = trusted(200)
    assert await backend.ready()
    assert await backend.ready()


async def test_an_issuer_is_not_ready_while_it_is_unknown_what_is_revoked():
    keys = KeySet.generate("ES256")
    for store, is_ready in ((RedisStore(DOWN), False), (MemoryStore(), True)):
        revocations = RevocationList(store)
        issuer = TrustedIssuer(
            ISSUER, audience="api", keys=keys, revocations=revocations
        )
        backend = IssuersBackend(issuer)
        assert await issuer.ready() is is_ready
        assert await backend.ready() is is_ready
        assert await BackendChain(backend).ready() is is_ready
        await revocations.aclose()


async def test_api_keys_are_ready_where_they_can_be_looked_up(sqlite):
    assert await APIKeyBackend(APIKeys(MemoryAPIKeys())).ready()
    assert not await APIKeyBackend(APIKeys(SQLAPIKeys(sqlite))).ready()


async def test_a_chain_is_ready_when_all_members_are(sqlite):
    jwt = JWTBackend(service(MemoryStore()))
    keys = APIKeyBackend(APIKeys(MemoryAPIKeys()))
    assert await BackendChain(jwt, keys).ready()
    assert not await BackendChain(keys, trusted(500)).ready()


def introspection(*statuses):
    answers, asked = iter(statuses), []

    async def fetch(url, headers, body):
        asked.append(body)
        return next(answers), {}, b'{"active": false}'

    backend = IntrospectionBackend(
        IntrospectionEndpoint(
            f"{ISSUER}/introspect",
            client=Client(id="api", secret="secret"),
            transport=Transport(fetch),
        ),
        issuer=ISSUER,
        audience="api",
    )
    return backend, asked


async def test_an_issuer_that_is_asked_is_ready_once_it_has_answered():
    backend, asked = introspection(500, 401, 200)
    assert [await backend.ready() for _ in range(5)] == [False, False, True, True, True]
    assert len(asked) == 3
    assert len({*asked}) == 3, "each asks about another token, which nobody has"
    assert not await BackendChain(introspection(503)[0]).ready()
