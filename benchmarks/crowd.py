"""Thousands of WebSocket clients in one process, as small as they can be."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass

__all__ = ["Crowd", "Served", "served"]

_AT_ONCE = 100
_PATIENCE = 120


@dataclass
class Served:
    """A server in a process of its own."""

    port: int

    async def ask(self, method: str, path: str) -> bytes:
        """Send one HTTP request; return the body of the answer."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        head = f"{method} {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
        writer.write(head.encode())
        answer = await reader.read()
        writer.close()
        return answer.partition(b"\r\n\r\n")[2]

    async def memory(self) -> int:
        """Return the resident memory of the server in KiB."""
        body = await self.ask("GET", "/memory")
        return int(b"".join(c for c in body.split() if len(c) > 3))


@contextlib.contextmanager
def served(app: str, **environment: str) -> Iterator[Served]:
    """Run *app* of :mod:`benchmarks.websocket_apps` on uvicorn."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]

    command = [sys.executable, "-m", "uvicorn", f"benchmarks.websocket_apps:{app}"]
    options = ["--ws", "websockets-sansio", "--ws-per-message-deflate", "false"]
    quiet = ["--log-level", "warning", "--no-access-log", "--port", str(port)]
    process = subprocess.Popen(
        [*command, *options, *quiet], env={**os.environ, **environment}
    )
    try:
        _wait_for(port)
        yield Served(port)
    finally:
        process.terminate()
        process.wait(20)


def _wait_for(port: int) -> None:
    until = time.monotonic() + 20
    while time.monotonic() < until:
        with contextlib.suppress(OSError):
            socket.create_connection(("127.0.0.1", port)).close()
            return

        time.sleep(0.05)

    msg = "the server did not start"
    raise RuntimeError(msg)


class _Client(asyncio.Protocol):
    """Shakes hands, and then only counts bytes."""

    def __init__(self, crowd: Crowd, path: str) -> None:
        self._crowd = crowd
        self._path = path
        self._head = b""
        self.is_open = asyncio.get_running_loop().create_future()
        self.last = b""

    def connection_made(self, transport) -> None:
        self.transport = transport
        lines = [
            f"GET {self._path} HTTP/1.1",
            "Host: x",
            "Connection: Upgrade",
            "Upgrade: websocket",
            "Sec-WebSocket-Version: 13",
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
        ]
        transport.write("\r\n".join([*lines, "", ""]).encode())

    def data_received(self, data: bytes) -> None:
        if not self.is_open.done():
            self._head += data
            if b"\r\n\r\n" not in self._head:
                return

            status = self._head.split(b" ", 2)[1]
            self.is_open.set_result(status == b"101")
            data = self._head.partition(b"\r\n\r\n")[2]

        self.last = data[-64:]
        self._crowd.count(len(data))

    def connection_lost(self, error) -> None:
        self._crowd.lost += 1
        self._crowd.lost_at.append(time.time())


class Crowd:
    """The clients of one server.

    Attributes:
        clients: All that are connected.
        lost: How many were closed by the server.
        lost_at: When each of them was.
    """

    def __init__(self, server: Served) -> None:
        self._server = server
        self._bytes = 0
        self._wanted = 0
        self._complete = asyncio.Event()
        self.clients: list[_Client] = []
        self.lost = 0
        self.lost_at: list[float] = []

    def count(self, length: int) -> None:
        self._bytes += length
        if self._bytes >= self._wanted:
            self._complete.set()

    async def come(self, paths: list[str]) -> None:
        """Open a socket for each of the *paths*."""
        for start in range(0, len(paths), _AT_ONCE):
            some = paths[start : start + _AT_ONCE]
            self.clients += await asyncio.gather(*map(self._open, some))

    async def hear(self, size: int, times: int = 1, listeners: int = 0) -> float:
        """Have messages sent to all; return the seconds until the last has arrived."""
        frame = size + 2 + (2 if size + 2 < 126 else 4)
        self._complete.clear()
        self._bytes = 0
        self._wanted = frame * times * (listeners or len(self.clients))
        began = time.perf_counter()
        for _ in range(times):
            await self._server.ask("POST", f"/say?size={size}")

        async with asyncio.timeout(_PATIENCE):
            await self._complete.wait()

        return time.perf_counter() - began

    async def leave(self) -> None:
        for client in self.clients:
            client.transport.abort()

        await asyncio.sleep(0)

    async def _open(self, path: str) -> _Client:
        loop = asyncio.get_running_loop()
        _, client = await loop.create_connection(
            lambda: _Client(self, path), "127.0.0.1", self._server.port
        )
        async with asyncio.timeout(_PATIENCE):
            if not await client.is_open:
                msg = "a handshake was refused"
                raise RuntimeError(msg)

        return client


@contextlib.asynccontextmanager
async def crowd(server: Served, paths: list[str]) -> AsyncIterator[Crowd]:
    """Bring clients in, and take them away again."""
    made = Crowd(server)
    try:
        await made.come(paths)
        yield made
    finally:
        await made.leave()
