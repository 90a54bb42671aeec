"""A client that is cheap: two thousand users must not cost more than what they ask.

One request at a time on each connection; connections are kept and shared. It reads what
our workers answer, and is no client for the world.
"""

from __future__ import annotations

import asyncio
import base64
import json
import os
import re
import time
from collections import defaultdict

PATIENCE = 10.0
"""Seconds after which an answer is given up."""

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_LATE = re.compile(rb"\r\nx-late: *([\d.]+)", re.IGNORECASE)


class LostError(Exception):
    """The connection ended before the answer."""


class Answer:
    """A status, a body, and what the worker said of itself."""

    __slots__ = ("body", "head", "status")

    def __init__(self, head, raw):
        self.head = head
        self.status = int(head[9:12])
        is_json = raw[:1] == b"{"
        self.body = json.loads(raw) if is_json else {}

    @property
    def has_retry_after(self):
        return b"\r\nretry-after:" in self.head.lower()

    @property
    def late(self):
        """Return how late the worker has lately been, in seconds."""
        match = _LATE.search(self.head)
        return float(match[1]) if match else 0.0


class _Connection(asyncio.Protocol):
    def __init__(self):
        self.transport = None
        self._buffer = b""
        self._waiter = None

    def connection_made(self, transport):
        self.transport = transport

    def connection_lost(self, exc):
        self.transport = None
        self._end(LostError())

    def data_received(self, data):
        self._buffer += data
        head, gap, rest = self._buffer.partition(b"\r\n\r\n")
        if not gap:
            return

        length = int(_LENGTH.search(head)[1])
        if len(rest) >= length:
            self._buffer = b""
            self._end(Answer(head, rest[:length]))

    def ask(self, request):
        self._waiter = asyncio.get_running_loop().create_future()
        self.transport.write(request)
        return self._waiter

    def _end(self, outcome):
        waiter, self._waiter = self._waiter, None
        if waiter is None or waiter.done():
            return

        if isinstance(outcome, Exception):
            waiter.set_exception(outcome)
        else:
            waiter.set_result(outcome)


class Wire:
    """Sends requests to addresses, which are ports of this machine."""

    def __init__(self):
        self._idle = defaultdict(list)

    async def ask(self, port, path, *, body=None, token=None):
        """Return the answer.

        Raises:
            LostError: There was none.
            TimeoutError: It took too long.
        """
        raw = json.dumps(body).encode() if body else b""
        bearer = f"Authorization: Bearer {token}\r\n" if token else ""
        head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\n{bearer}"
        request = f"{head}Content-Length: {len(raw)}\r\n\r\n".encode() + raw
        async with asyncio.timeout(PATIENCE):
            connection = await self._connection(port)
            try:
                answer = await connection.ask(request)
            except asyncio.CancelledError:
                if connection.transport is not None:
                    connection.transport.abort()
                raise

        self._idle[port].append(connection)
        return answer

    async def _connection(self, port):
        idle = self._idle[port]
        while idle:
            connection = idle.pop()
            if connection.transport is not None:
                return connection

        loop = asyncio.get_running_loop()
        try:
            _, connection = await loop.create_connection(_Connection, "127.0.0.1", port)
        except OSError as error:
            raise LostError from error
        return connection

    def close(self):
        for connections in self._idle.values():
            for connection in connections:
                if connection.transport is not None:
                    connection.transport.abort()


class Socket(asyncio.Protocol):
    """An open WebSocket that only hears; ``ended`` is set when it is over.

    Attributes:
        heard: Called with each message.
        code: What it was closed with, or ``None``: it just ended.
        status: Of the handshake.
    """

    def __init__(self, token, hear):
        self._token, self._hear = token, hear
        self._buffer = b""
        self._is_open = False
        self.status = self.code = self.transport = None
        self.ended = asyncio.Event()
        self.began = asyncio.Event()

    def connection_made(self, transport):
        self.transport = transport
        key = base64.b64encode(os.urandom(16)).decode()
        lines = ["GET /ws HTTP/1.1", "Host: localhost", "Upgrade: websocket"]
        lines += ["Connection: Upgrade", "Sec-WebSocket-Version: 13"]
        lines += [f"Sec-WebSocket-Key: {key}", f"Authorization: Bearer {self._token}"]
        transport.write("\r\n".join([*lines, "", ""]).encode())

    def connection_lost(self, exc):
        self.began.set()
        self.ended.set()

    def data_received(self, data):
        self._buffer += data
        if not self._is_open and not self._take_head():
            return

        while (frame := self._take_frame()) is not None:
            opcode, payload = frame
            if opcode == 8:
                self.code = int.from_bytes(payload[:2], "big")
                # Masked with zeros, and as empty as can be.
                self.transport.write(b"\x88\x80\x00\x00\x00\x00")
                self.transport.close()
            elif opcode == 1:
                self._hear(json.loads(payload))

    def close(self):
        self.transport.abort()

    def _take_head(self):
        head, gap, rest = self._buffer.partition(b"\r\n\r\n")
        if not gap:
            return False

        self.status, self._buffer = int(head[9:12]), rest
        self._is_open = self.status == 101
        self.began.set()
        if not self._is_open:
            self.transport.close()

        return self._is_open

    def _take_frame(self):
        data = self._buffer
        if len(data) < 2:
            return None

        length, start = data[1] & 127, 2
        if length == 126:
            length, start = int.from_bytes(data[2:4], "big"), 4

        if len(data) < start + length:
            return None

        self._buffer = data[start + length :]
        return data[0] & 15, data[start : start + length]


async def open_socket(port, token, hear):
    """Return a socket whose handshake is done.

    Raises:
        LostError: It ended before that.
        TimeoutError: It took too long.
    """
    loop = asyncio.get_running_loop()
    async with asyncio.timeout(PATIENCE):
        try:
            _, socket = await loop.create_connection(
                lambda: Socket(token, hear), "127.0.0.1", port
            )
        except OSError as error:
            raise LostError from error

        try:
            await socket.began.wait()
        except asyncio.CancelledError:
            socket.close()
            raise

    if socket.status is None:
        raise LostError

    return socket


def claims_of(token):
    """Return what a token says; nobody checks its signature here."""
    part = token.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))


def wall():
    """Return what all processes of this machine take for the time."""
    return time.time()
