"""The stores of a load run, and what can befall them."""

from __future__ import annotations

from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

from tests.faults import FaultProxy
from tests.postgres import start_postgres, stop_postgres
from tests.stores.redis_server import redis_server
from tests.stores.valkey import valkey_cluster

ALWAYS = ("save ''", "appendonly yes", "appendfsync everysec")


@contextmanager
def store_of(kind, folder, *settings):
    """Yield the URL of a store and the server, if it has one."""
    if kind == "sqlite":
        yield f"sqlite:///{folder}/load.db", None
    elif kind == "redis":
        with redis_server(*(settings or ALWAYS)) as server:
            yield server.url, server
    elif kind == "cluster":
        with valkey_cluster() as cluster:
            yield cluster.url, cluster
    else:
        server = start_postgres()
        yield server.get_uri(), server
        stop_postgres(server)


@asynccontextmanager
async def proxied(kind, url, server):
    """Yield the URL of a store behind a proxy that can fail, and the proxy.

    A file has none, and the nodes of a cluster name each other.
    """
    if kind not in {"postgres", "redis"}:
        yield url, None
        return

    is_redis = kind == "redis"
    proxy = FaultProxy(server.port if is_redis else socket_of(server))
    await proxy.pass_on()
    try:
        database = "redis://" if is_redis else "postgresql://postgres@"
        end = "/0" if is_redis else "/postgres"
        yield f"{database}127.0.0.1:{proxy.port}{end}", proxy
    finally:
        await proxy.aclose()


def socket_of(postgres):
    """Return the path of the socket of a PostgreSQL server."""
    folder = postgres.get_uri().partition("host=")[2]
    (path,) = Path(folder).glob(".s.PGSQL.*[0-9]")
    return str(path)
