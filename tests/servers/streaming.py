"""Applications that stream, on real servers, and a way to revoke their callers.

Servers import this file in processes of their own; tests import it for its tokens.
"""

from __future__ import annotations

import asyncio
from urllib.parse import parse_qs

from sse_starlette import EventSourceResponse
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse, StreamingResponse
from starlette.routing import Route

from asgi_auth import AuthenticationMiddleware, JWTBackend
from tests.servers.application import token_service

TOKENS = token_service()
ENDS = []


async def ticks():
    try:
        while True:
            yield "data: tick\n\n"
            await asyncio.sleep(0.05)
    finally:
        ENDS.append("starlette")


async def idle_ticks():
    try:
        yield {"data": "tick"}
        await asyncio.sleep(3600)
    finally:
        ENDS.append("idle")


async def streaming(request):
    return StreamingResponse(ticks(), media_type="text/event-stream")


async def idle(request):
    return EventSourceResponse(idle_ticks())


async def download(request):
    return StreamingResponse(ticks(), media_type="application/octet-stream")


async def revoke(request):
    await TOKENS.revoke_subject(request.query_params["subject"])
    return PlainTextResponse("revoked")


async def ends(request):
    return PlainTextResponse(",".join(ENDS))


async def push(scope, receive, send):
    """Only send, from a task of its own."""
    headers = [(b"content-type", b"text/event-stream")]
    if b"length" in parse_qs(scope["query_string"]):
        headers.append((b"content-length", b"100000"))
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    message = {"type": "http.response.body", "body": b"data: tick\n\n"}
    try:
        while True:
            await send({**message, "more_body": True})
            await asyncio.sleep(0.05)
    except OSError:
        ENDS.append("push")
        raise


class Push:
    async def __call__(self, scope, receive, send):
        async with asyncio.TaskGroup() as group:
            group.create_task(push(scope, receive, send))


app = AuthenticationMiddleware(
    Starlette(
        routes=[
            Route("/streaming", streaming),
            Route("/idle", idle),
            Route("/download", download),
            Route("/push", Push()),
            Route("/revoke", revoke),
            Route("/ends", ends),
        ]
    ),
    JWTBackend(TOKENS),
)
