"""WebSockets over real sockets: memory, broadcasts, and how punctually they end."""

from __future__ import annotations

import asyncio
import resource
import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from typing import Any

from asgi_auth.lifetime.closable import ClosableSocket
from benchmarks.crowd import Crowd, Served, crowd, served
from benchmarks.report import table
from benchmarks.socket_bytes import bytes_of_a_socket
from benchmarks.websocket_apps import tokens

__all__ = ["allowed", "guard_overhead", "hall", "punctuality", "run", "show", "stalled"]

_MESSAGES = 50_000
_SIZE = 100


def allowed(wanted: int) -> int:
    """Raise the limit of open files; return how many sockets it lets us have."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    need = wanted + 500
    if soft < need:
        ceiling = need if hard == resource.RLIM_INFINITY else min(need, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (ceiling, hard))
        soft = ceiling

    return min(wanted, soft - 500)


async def guard_overhead(rounds: int) -> float:
    """Return the microseconds that a lifetime adds to a message, each way."""

    async def receive() -> dict[str, Any]:
        return {"type": "websocket.receive", "text": "x"}

    async def send(message: Any) -> None:
        pass

    async def talk(receive: Callable[[], Any], send: Callable[[Any], Any]) -> float:
        began = time.perf_counter()
        for _ in range(_MESSAGES):
            message = await receive()
            await send({"type": "websocket.send", "text": message["text"]})

        return time.perf_counter() - began

    bare, ours = [], []
    for _ in range(rounds):
        socket = ClosableSocket(receive, send)
        bare.append(await talk(receive, send))
        ours.append(await talk(socket.receive, socket.send))

    return (min(ours) - min(bare)) / (2 * _MESSAGES) * 1e6


async def _fill(
    stack: AsyncExitStack, server: Served, count: int
) -> tuple[Crowd, float]:
    """Fill one server; return its clients, and the KiB that each of them takes."""
    async with crowd(server, [f"/join?token={tokens.mint('ann')}"] * 20) as warm:
        await warm.hear(_SIZE)

    await asyncio.sleep(0.3)
    empty = await server.memory()
    paths = [f"/join?token={tokens.mint(f'user{n}')}" for n in range(count)]
    clients = await stack.enter_async_context(crowd(server, paths))
    return clients, (await server.memory() - empty) / count


async def hall(count: int, rounds: int) -> dict[str, float]:
    """Compare rooms with a loop of ``send`` by hand, on the same kind of server."""
    async with AsyncExitStack() as stack:
        bare, bare_memory = await _fill(
            stack, stack.enter_context(served("bare")), count
        )
        ours, our_memory = await _fill(
            stack, stack.enter_context(served("ours")), count
        )
        times: list[tuple[float, float]] = [
            (await bare.hear(_SIZE), await ours.hear(_SIZE)) for _ in range(rounds)
        ]

    bare_best, our_best = map(min, zip(*times, strict=True))
    return {
        "connections": count,
        "bare KiB": bare_memory,
        "our KiB": our_memory - bare_memory,
        "bare broadcast ms": bare_best * 1e3,
        "our broadcast ms": our_best * 1e3,
        "ratio": our_best / bare_best,
    }


async def stalled(
    count: int, times: int = 100, size: int = 4000, rounds: int = 5
) -> dict[str, float]:
    """Let one of many stop reading; return the seconds without and with it."""
    paths = [f"/join?token={tokens.mint(f'user{n}')}" for n in range(count)]
    async with AsyncExitStack() as stack:
        servers = [stack.enter_context(served("ours")) for _ in range(2)]
        all_read, one_stalls = [
            await stack.enter_async_context(crowd(server, paths)) for server in servers
        ]
        one_stalls.clients[count // 2].transport.pause_reading()
        # In turns, so that what else the machine does hits both.
        pairs = [
            (
                await all_read.hear(size, times),
                await one_stalls.hear(size, times, listeners=count - 1),
            )
            for _ in range(rounds)
        ]

    without, with_it = map(min, zip(*pairs, strict=True))
    return {"all read s": without, "one stalls s": with_it}


async def punctuality(count: int) -> dict[str, float]:
    """Let many sockets expire at one moment; return how late they were closed."""
    with served("ours") as server:
        async with crowd(server, []) as clients:
            # So long that all are connected by then.
            token = tokens.mint("ann", ttl=3 + count // 400)
            ends_at = (await tokens.verify(token))["exp"]
            await clients.come([f"/join?token={token}"] * count)
            early = clients.lost
            async with asyncio.timeout(60):
                while clients.lost < count:
                    for client in clients.clients:
                        if client.last[:1] == b"\x88" and not hasattr(client, "at"):
                            client.at = time.time()
                            client.transport.close()

                    await asyncio.sleep(0.001)

            late = sorted(client.at - ends_at for client in clients.clients)

    return {
        "early": early,
        "first ms": late[0] * 1e3,
        "median ms": late[count // 2] * 1e3,
        "last ms": late[-1] * 1e3,
    }


async def _measure(rounds: int) -> dict[str, Any]:
    # Two servers are full at a time, and this process has the clients of both.
    count = allowed(10_000) // 2
    result: dict[str, Any] = {"skipped": []}
    if count < 5000:
        result["skipped"].append(f"the machine lets us have {count} sockets, not 5000")

    result["guard us per message"] = await guard_overhead(min(rounds, 10))
    result["bytes"] = await bytes_of_a_socket(2000)
    result["hall"] = await hall(count, min(rounds, 10))
    result["stalled"] = await stalled(min(count, 1000))
    result["punctuality"] = await punctuality(100)
    result["failed"] = sum(value > goal for _, value, goal in _goals(result))
    return result


def _goals(result: dict[str, Any]) -> list[tuple[str, float, float]]:
    hall_, stall = result["hall"], result["stalled"]
    return [
        ("lifetime guard, µs a message", result["guard us per message"], 1.0),
        ("a guarded socket, bytes above its own", result["bytes"]["guarded"], 6144.0),
        ("a socket in a room, likewise", result["bytes"]["in a room"], 6144.0),
        ("our memory, KiB a connection", hall_["our KiB"], 25.0),
        ("broadcast over a loop of send", hall_["ratio"], 1.5),
        (
            "one stalled member over none",
            stall["one stalls s"] / stall["all read s"],
            1.15,
        ),
        ("expiry, ms late", result["punctuality"]["median ms"], 100.0),
    ]


def run(rounds: int) -> dict[str, Any]:
    """Measure everything."""
    return asyncio.run(_measure(rounds))


def show(result: dict[str, Any]) -> str:
    """Write a table of what was reached and what had to be."""
    rows = [
        (name, f"{value:.2f}", f"{goal:g}", "yes" if value <= goal else "NO")
        for name, value, goal in _goals(result)
    ]
    count = result["hall"]["connections"]
    title = f"{count} connections on one server"
    return f"{title}\n{table(('what', 'measured', 'at most', 'reached'), rows)}"
