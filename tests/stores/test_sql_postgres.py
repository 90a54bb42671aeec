"""PostgreSQL as people have it: other URLs, other drivers, a pooler in between."""

from __future__ import annotations

import asyncio
import gc
import time
import warnings

import pytest

from asgi_auth.errors import ConfigurationError, UnavailableError
from asgi_auth.stores import NewSession
from asgi_auth.stores.records import Revocation
from asgi_auth.stores.sql import SQLStore
from tests.postgres import kill_postgres
from tests.stores.pgbouncer import pgbouncer
from tests.stores.sql_contract import SQLContract

# SQLAlchemy drops connections that fail in their first statement, unclosed, as behind a
# pooler that was not named. When the collector finds them is chance.
pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning")
IDLE = {"idle_ttl": 600.0, "grace": 30.0}


@pytest.fixture(scope="module", autouse=True)
def nothing_left_to_other_modules():
    yield
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()


@pytest.fixture(scope="session")
def pooler(postgres_server):
    with pgbouncer(postgres_server.get_uri()) as port:
        yield f"//postgres@127.0.0.1:{port}/postgres"


class TestPsycopgContract(SQLContract):
    @pytest.fixture(scope="class")
    @classmethod
    def url(cls, postgres_url):
        pytest.importorskip("psycopg")
        return postgres_url.replace("postgresql:", "postgresql+psycopg:", 1)


class TestPgBouncerContract(SQLContract):
    @pytest.fixture(scope="class")
    @classmethod
    def url(cls, pooler):
        return f"postgresql:{pooler}?pgbouncer=true"


class TestPsycopgThroughPgBouncerContract(SQLContract):
    @pytest.fixture(scope="class")
    @classmethod
    def url(cls, pooler):
        pytest.importorskip("psycopg")
        return f"postgresql+psycopg:{pooler}?pgbouncer=true"


# ------------------------------------------------------------------------------- pooler


@pytest.mark.anyio
@pytest.mark.parametrize("query", ["", "?pgbouncer=true"])
async def test_every_verb_works_through_a_pooler(pooler, table_prefix, query, caplog):
    store = SQLStore(f"postgresql:{pooler}{query}", table_prefix=table_prefix)
    await store.create_schema()
    # More than there are connections; a busy machine would turn many more away.
    room = asyncio.Semaphore(12)

    async def live(number):
        async with room:
            return await live_through(number)

    async def live_through(number):
        sid = f"sid-{number}"
        await store.create(
            NewSession(sid=sid, issuer="i", subject="s", idle_ttl=60, ttl=60)
        )
        rotations = [await store.rotate(sid, seq, **IDLE) for seq in range(3)]
        await store.publish([Revocation(kind="sid", issuer="i", value=sid)], ttl=60)
        await store.close([sid])
        return [rotation.outcome for rotation in rotations]

    outcomes = await asyncio.gather(*(live(number) for number in range(48)))
    assert outcomes == [["rotated"] * 3] * 48
    assert len((await store.feed(None, wait=0)).entries) == 48
    # It finds out by itself, and says once how to say so from the start.
    assert caplog.text.count("pgbouncer=true") == (not query)
    await store.aclose()


@pytest.mark.anyio
async def test_a_pooler_that_is_gone_is_an_outage(postgres_url, table_prefix):
    with pgbouncer(postgres_url) as port:
        url = f"postgresql://postgres@127.0.0.1:{port}/postgres?pgbouncer=true"
        store = SQLStore(url, table_prefix=table_prefix)
        await store.create_schema()
        await store.feed(None, wait=0)

    started = time.monotonic()
    for _ in range(3):
        with pytest.raises(UnavailableError):
            await store.rotate("one", 0, **IDLE)
    assert time.monotonic() - started < 9
    await store.aclose()


@pytest.mark.anyio
async def test_a_server_that_is_gone_behind_its_pooler_is_an_outage(
    own_postgres, table_prefix
):
    with pgbouncer(own_postgres.get_uri()) as port:
        url = f"postgresql://postgres@127.0.0.1:{port}/postgres?pgbouncer=true"
        store = SQLStore(url, table_prefix=table_prefix)
        await store.create_schema()
        await asyncio.to_thread(kill_postgres, own_postgres)
        for _ in range(3):
            with pytest.raises(UnavailableError):
                await store.rotate("one", 0, **IDLE)
        await store.aclose()


# --------------------------------------------------------------------------------- URLs


def arguments_of(url):
    database = SQLStore(url)._database
    return dict(database.url.query), database._arguments


@pytest.mark.parametrize(
    ("query", "arguments"),
    [
        ("", {}),
        ("sslmode=require", {"dsn": "postgresql:///?sslmode=require"}),
        (
            "sslmode=verify-full&sslrootcert=system&channel_binding=prefer",
            {"dsn": "postgresql:///?sslmode=verify-full&sslrootcert=system"},
        ),
        ("connect_timeout=10", {"timeout": 10.0}),
        ("connect_timeout=0", {"timeout": 60.0}),
        ("application_name=api", {"server_settings": {"application_name": "api"}}),
        (
            "options=-c%20search_path%3Dauth",
            {"server_settings": {"options": "-c search_path=auth"}},
        ),
        ("keepalives=1&gssencmode=disable&fallback_application_name=x", {}),
        (
            "target_session_attrs=read-write",
            {"dsn": "postgresql:///?target_session_attrs=read-write"},
        ),
        ("pgbouncer=false", {}),
    ],
)
@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+asyncpg"])
def test_what_libpq_understands_is_translated(scheme, query, arguments):
    kept, given = arguments_of(f"{scheme}://ada:hunter2@db.example/app?{query}")
    assert (kept, given) == ({}, arguments)


def test_a_driver_that_is_libpq_gets_the_query_as_it_is():
    pytest.importorskip("psycopg")
    query = {"sslmode": "require", "channel_binding": "require"}
    url = "postgresql+psycopg://db/app?sslmode=require&channel_binding=require"
    assert arguments_of(url) == (query, {})


@pytest.mark.parametrize(
    ("query", "word"),
    [
        ("channel_binding=require", "psycopg"),
        ("sslmode=on", "sslmode"),
        ("sslmode=verify-ca&sslrootcert=/no/such/file.pem", "no/such/file"),
        ("connect_timeout=soon", "connect_timeout"),
        ("connect_timeout=-1", "connect_timeout"),
        ("pgbouncer=maybe", "pgbouncer"),
        ("schema=auth", "schema"),
    ],
)
def test_what_cannot_be_obeyed_is_refused_when_the_store_is_made(query, word):
    with pytest.raises(ConfigurationError, match=word) as caught:
        SQLStore(f"postgresql://ada:hunter2@db.example/app?{query}")
    assert "hunter2" not in str(caught.value)


@pytest.mark.anyio
async def test_a_translated_url_connects(postgres_url, table_prefix):
    query = "application_name=api&connect_timeout=1&options=-c%20timezone%3DUTC"
    store = SQLStore(
        f"{postgres_url}&sslmode=disable&{query}", table_prefix=table_prefix
    )
    await store.create_schema()
    assert (await store.feed(None, wait=0)).entries == ()
    await store.aclose()


@pytest.mark.anyio
async def test_a_server_without_tls_is_an_outage_where_tls_is_demanded(pooler):
    store = SQLStore(f"postgresql:{pooler}?sslmode=require")
    with pytest.raises(UnavailableError):
        await store.feed(None, wait=0)
    await store.aclose()


@pytest.mark.anyio
async def test_an_unreachable_server_is_an_outage_with_psycopg(free_port):
    pytest.importorskip("psycopg")
    store = SQLStore(f"postgresql+psycopg://ada:hunter2@127.0.0.1:{free_port}/db")
    with pytest.raises(UnavailableError) as caught:
        await store.rotate("one", 0, **IDLE)
    assert "hunter2" not in str(caught.value)
    await store.aclose()
