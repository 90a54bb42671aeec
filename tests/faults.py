"""A TCP proxy that fails on purpose, for tests of what happens when a server does."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

RESET = struct.pack("ii", 1, 0)


class FaultProxy:
    """Stands between a client and a server on 127.0.0.1; starts by passing on all.

    The server has a port, or the path of a Unix socket.

    ``requests`` counts the pieces that clients sent: where each request fits into one
    packet and waits for its answer, that is the number of round trips.
    """

    def __init__(self, port: int | str) -> None:
        self.port = 0
        self.requests = 0
        self.connections = 0
        self._target = port
        self._server: asyncio.Server | None = None
        self._fault: str | None = None
        self._delay = 0.0
        self._cut: int | None = None
        self._open: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task] = set()
        self._go = asyncio.Event()
        self._go.set()

    async def pass_on(self) -> None:
        """End whatever fault there is."""
        self._fault, self._delay, self._cut = None, 0.0, None
        self._go.set()
        if self._server is None:
            self._server = await asyncio.start_server(
                self._serve, "127.0.0.1", self.port
            )
            self.port = self._server.sockets[0].getsockname()[1]

    async def refuse(self) -> None:
        """Nobody listens any more, and what was open is reset."""
        if self._server is not None:
            self._server.close()
            self._server = None
        self.drop()
        await asyncio.sleep(0)

    async def reset(self) -> None:
        """Connections are accepted and reset at once."""
        self._fault = "reset"
        self.drop()

    async def stall(self) -> None:
        """Everything is accepted and nothing answered, also on open connections."""
        self._go.clear()

    async def delay(self, seconds: float) -> None:
        """Each piece of an answer comes *seconds* late."""
        self._delay = seconds

    async def cut(self, after: int) -> None:
        """Reset the connection after *after* more bytes of answers, once."""
        self._cut = after

    def lead_to(self, port: int | str) -> None:
        """Lead new connections elsewhere; what is open stays where it is."""
        self._target = port

    def drop(self) -> None:
        """Reset all open connections."""
        for writer in tuple(self._open):
            self._reset(writer)

    async def aclose(self) -> None:
        await self.refuse()
        self._go.set()
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _reset(self, writer: asyncio.StreamWriter) -> None:
        self._open.discard(writer)
        sock = writer.get_extra_info("socket")
        if sock is not None and sock.fileno() >= 0:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        writer.transport.abort()

    def _serve(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        task = asyncio.ensure_future(self._connect(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _connect(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self.connections += 1
        self._open.add(writer)
        if self._fault == "reset":
            self._reset(writer)
            return

        upstream = None
        try:
            answers, upstream = await self._reach()
            pumps = [self._requests(reader, upstream), self._answers(answers, writer)]
            tasks = [asyncio.ensure_future(pump) for pump in pumps]
            try:
                await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)
        except OSError:
            pass
        finally:
            self._reset(writer)
            if upstream is not None:
                upstream.transport.abort()
                # One turn of the loop, in which the sockets really close.
                with contextlib.suppress(OSError):
                    await upstream.wait_closed()

    async def _reach(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if isinstance(self._target, str):
            return await asyncio.open_unix_connection(self._target)

        return await asyncio.open_connection("127.0.0.1", self._target)

    async def _requests(
        self, reader: asyncio.StreamReader, upstream: asyncio.StreamWriter
    ) -> None:
        while data := await reader.read(65536):
            await self._go.wait()
            self.requests += 1
            upstream.write(data)
            await upstream.drain()

    async def _answers(
        self, answers: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        while data := await answers.read(65536):
            await self._go.wait()
            if self._delay:
                await asyncio.sleep(self._delay)
            if self._cut is not None and len(data) >= self._cut:
                data, self._cut = data[: self._cut], None
                writer.write(data)
                await writer.drain()
                await asyncio.sleep(0.01)
                return
            if self._cut is not None:
                self._cut -= len(data)
            writer.write(data)
            await writer.drain()


@asynccontextmanager
async def fault_proxy(port: int | str) -> AsyncIterator[FaultProxy]:
    """Run a proxy in front of a port or path for the time of a ``with`` block."""
    proxy = FaultProxy(port)
    await proxy.pass_on()
    try:
        yield proxy
    finally:
        await proxy.aclose()
