"""What an open socket holds beside the server's own: counted, with no server.

Every socket has a user of its own. The same tasks serve an app alone, the app behind
the middleware, and an endpoint with rooms; the difference is ours. What a worker
remembers of tokens is among it.
"""

from __future__ import annotations

import asyncio
import gc
import tracemalloc
from typing import Any

from asgi_auth import AuthenticationMiddleware, JWTBackend, KeySet, TokenService
from asgi_auth.websocket import Rooms, WebSocketEndpoint
from benchmarks.material import ISSUER

__all__ = ["bytes_of_a_socket"]

_TURNS = 20


class _Hall(WebSocketEndpoint):
    async def on_connect(self, websocket: Any, user_id: str) -> None:
        await self.rooms.join(websocket, "hall")  # type: ignore[union-attr]


async def bytes_of_a_socket(count: int) -> dict[str, float]:
    """Open so many sockets; return what each takes above the app alone."""
    tokens = TokenService(KeySet.generate("HS256"), issuer=ISSUER, audience="api")
    texts = [tokens.mint(f"user-{number}").encode() for number in range(count)]
    bare = await _open(_listen, texts)
    guarded = AuthenticationMiddleware(_listen, JWTBackend(tokens))
    hall = _Hall(rooms=Rooms(max_per_user=None))
    in_room = AuthenticationMiddleware(hall, JWTBackend(tokens))
    return {
        "guarded": await _open(guarded, texts) - bare,
        "in a room": await _open(in_room, texts) - bare,
    }


async def _listen(scope: Any, receive: Any, send: Any) -> None:
    await receive()
    await send({"type": "websocket.accept"})
    while (await receive())["type"] != "websocket.disconnect":
        pass


async def _open(app: Any, tokens: list[bytes]) -> float:
    accepted = 0

    async def serve(token: bytes) -> None:
        opening = [{"type": "websocket.connect"}]
        never = asyncio.get_running_loop().create_future()

        async def receive() -> Any:
            return opening.pop() if opening else await never

        async def send(_: Any) -> None:
            nonlocal accepted
            accepted += 1

        await app(_scope(token), receive, send)

    async def begin(some: list[bytes]) -> list[asyncio.Task[None]]:
        tasks = [asyncio.create_task(serve(token)) for token in some]
        for _ in range(_TURNS):
            await asyncio.sleep(0)

        return tasks

    tasks = await begin(tokens[:2])  # What is there once.
    was_tracing = tracemalloc.is_tracing()
    gc.collect()
    tracemalloc.start()
    before, _ = tracemalloc.get_traced_memory()
    tasks += await begin(tokens)
    gc.collect()
    after, _ = tracemalloc.get_traced_memory()
    if not was_tracing:
        tracemalloc.stop()

    assert accepted == len(tokens) + 2
    for task in tasks:
        task.cancel()

    await asyncio.wait(tasks)
    return (after - before) / len(tokens)


def _scope(token: bytes) -> dict[str, Any]:
    headers = [(b"host", b"api.example"), (b"authorization", b"Bearer " + token)]
    return {
        "type": "websocket",
        "asgi": {"version": "3.0", "spec_version": "2.5"},
        "http_version": "1.1",
        "scheme": "wss",
        "path": "/ws",
        "raw_path": b"/ws",
        "root_path": "",
        "query_string": b"",
        "headers": [*headers, (b"origin", b"https://api.example")],
        "subprotocols": [],
        "client": ("192.0.2.1", 50000),
        "server": ("api.example", 443),
        "extensions": {},
    }
