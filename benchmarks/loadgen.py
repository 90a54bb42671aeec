"""A small load generator, for machines without wrk.

``python -m benchmarks.loadgen PORT --seconds 2 --connections 32 --header "A: b"``
prints JSON. Each connection sends its next request when the last one is answered.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import re
import time

__all__ = ["main"]

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)


class _Connection(asyncio.Protocol):
    """Sends the same request over and over, and takes the time of each answer."""

    def __init__(self, request: bytes) -> None:
        self._request = request
        self._buffer = b""
        self._sent_at = 0.0
        self.times: list[float] = []
        self.bad = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        self._send()

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head, gap, rest = self._buffer.partition(b"\r\n\r\n")
        length = _LENGTH.search(head)
        if not gap or length is None or len(rest) < int(length[1]):
            return

        self.times.append(time.perf_counter() - self._sent_at)
        self.bad += head[9:12] != b"200"
        self._buffer = rest[int(length[1]) :]
        self._send()

    def _send(self) -> None:
        self._sent_at = time.perf_counter()
        self._transport.write(self._request)  # type: ignore[attr-defined]


async def _load(port: int, request: bytes, connections: int, seconds: float) -> dict:
    loop = asyncio.get_running_loop()
    opened = [
        await loop.create_connection(lambda: _Connection(request), "127.0.0.1", port)
        for _ in range(connections)
    ]
    start = time.perf_counter()
    await asyncio.sleep(seconds)
    taken = time.perf_counter() - start
    times = sorted(t for _, protocol in opened for t in protocol.times)
    for transport, _ in opened:
        transport.abort()

    return {
        "requests": len(times),
        "per_second": len(times) / taken,
        "p99_ms": times[int(len(times) * 0.99)] * 1000 if times else None,
        "bad": sum(protocol.bad for _, protocol in opened),
    }


def main() -> None:
    """Read the command line, and print what was found."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.loadgen")
    parser.add_argument("port", type=int)
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--connections", type=int, default=32)
    parser.add_argument("--header", action="append", default=[])
    options = parser.parse_args()
    lines = ["GET / HTTP/1.1", f"Host: 127.0.0.1:{options.port}", *options.header]
    request = ("\r\n".join(lines) + "\r\n\r\n").encode()
    try:
        from uvloop import run
    except ImportError:
        run = asyncio.run

    found = run(_load(options.port, request, options.connections, options.seconds))
    print(json.dumps(found))


if __name__ == "__main__":
    main()
