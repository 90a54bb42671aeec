"""The stores of a load run, and what can befall them."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager

from tests.faults import FaultProxy, fault_proxy
from tests.postgres import socket_of, start_postgres, stop_postgres
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

    A file has none.
    """
    if kind == "sqlite":
        yield url, None
        return

    if kind == "cluster":
        async with _Proxies.of(server) as proxies:
            yield f"redis://127.0.0.1:{proxies.port}", proxies
        return

    is_redis = kind == "redis"
    proxy = FaultProxy(server.port if is_redis else str(socket_of(server.get_uri())))
    await proxy.pass_on()
    try:
        database = "redis://" if is_redis else "postgresql://postgres@"
        end = "/0" if is_redis else "/postgres"
        yield f"{database}127.0.0.1:{proxy.port}{end}", proxy
    finally:
        await proxy.aclose()


class _Proxies:
    """One before each node of a cluster; they fail together."""

    def __init__(self, proxies):
        self._proxies = proxies
        self.port = proxies[0].port

    @classmethod
    @asynccontextmanager
    async def of(cls, cluster):
        """Put them in place: the nodes name each other by them from then on."""
        async with AsyncExitStack() as stack:
            proxies = [
                await stack.enter_async_context(fault_proxy(node.port))
                for node in cluster.servers
            ]
            ports = [proxy.port for proxy in proxies]
            await asyncio.to_thread(cluster.announce, ports)
            yield cls(proxies)

    async def reset(self):
        for proxy in self._proxies:
            await proxy.reset()

    async def stall(self):
        for proxy in self._proxies:
            await proxy.stall()

    async def cut(self, after):
        for proxy in self._proxies:
            await proxy.cut(after)

    async def pass_on(self):
        for proxy in self._proxies:
            await proxy.pass_on()
