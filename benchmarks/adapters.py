"""What an adapter adds to a request over the same parts put together by hand.

By hand means: the middleware around the app or in its stack, and a guard of the core
where the framework takes one. What Channels' adapter installs is the middleware itself.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from typing import Annotated, Any

from asgi_auth import (
    AuthenticationMiddleware,
    JWTBackend,
    ScopePolicy,
    TokenService,
    requires,
)
from asgi_auth._asgi import ASGIApp, Message, Scope
from benchmarks.asgi import requests
from benchmarks.material import AUDIENCE, ISSUER, Material
from benchmarks.measure import Probe, interleave
from benchmarks.report import number, table

__all__ = ["run", "show"]

Pair = tuple[ASGIApp, ASGIApp]


def run(rounds: int) -> dict[str, Any]:
    """Time each pair of applications."""
    return asyncio.run(_measure(rounds))


def show(result: dict[str, Any]) -> str:
    """Lay out one table."""
    columns = ["adapter", "by hand µs", "adapter µs", "added µs"]
    rows = [
        [
            row["adapter"],
            number(row["by_hand"]),
            number(row["installed"]),
            f"{row['added']:+.2f}",
        ]
        for row in result["rows"]
    ]
    return table(columns, rows)


async def _measure(rounds: int) -> dict[str, Any]:
    material = Material("HS256")
    tokens = TokenService(material.keys, issuer=ISSUER, audience=AUDIENCE)
    backend = JWTBackend(tokens)
    scopes = requests([material.token()])
    probes: dict[str, tuple[Probe, Probe]] = {}
    skipped = []
    for name, build in _ADAPTERS.items():
        try:
            pair = build(backend)
        except ImportError as error:
            skipped.append(f"{name}: {error}")
            continue

        for app in pair:
            await _check(app, scopes(1)[0])
        by_hand, installed = (
            Probe((name, kind), _calls(app), scopes)
            for kind, app in zip(("by hand", "installed"), pair, strict=True)
        )
        probes[name] = by_hand, installed

    # Each framework for itself: who comes after another one finds cold caches.
    for both in probes.values():
        await interleave(both, rounds)

    return {"rounds": rounds, "skipped": skipped, "rows": [*_rows(probes)]}


def _rows(probes: dict[str, tuple[Probe, Probe]]) -> Iterator[dict[str, Any]]:
    for name, (by_hand, installed) in probes.items():
        yield {
            "adapter": name,
            "by_hand": by_hand.best,
            "installed": installed.best,
            "added": installed.best - by_hand.best,
        }


class _Client:
    """Sends one request without a body, and leaves when it is answered."""

    def __init__(self) -> None:
        self.status = 0
        self._given = False
        self._answered = asyncio.get_running_loop().create_future()

    async def receive(self) -> Message:
        if self._given:
            await self._answered
            return {"type": "http.disconnect"}

        self._given = True
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
        elif not message.get("more_body") and not self._answered.done():
            self._answered.set_result(None)


def _calls(app: ASGIApp) -> Callable[[Sequence[Scope]], Any]:
    async def run(scopes: Sequence[Scope]) -> None:
        for scope in scopes:
            client = _Client()
            await app(scope, client.receive, client.send)

    return run


async def _check(app: ASGIApp, scope: Scope) -> None:
    client = _Client()
    await app(scope, client.receive, client.send)
    assert client.status == 200, client.status


def _starlette(backend: JWTBackend) -> Pair:
    from starlette.applications import Starlette
    from starlette.responses import PlainTextResponse
    from starlette.routing import Route

    from asgi_auth.integrations import starlette as adapter

    async def answer(request: Any) -> PlainTextResponse:
        return PlainTextResponse(request.user.subject)

    by_hand = Starlette(routes=[Route("/", requires()(answer))])
    by_hand.add_middleware(
        AuthenticationMiddleware, backend=backend, scope_policy=ScopePolicy(share=True)
    )
    installed = Starlette(routes=[Route("/", adapter.requires()(answer))])
    adapter.install(installed, backend)
    return by_hand, installed


def _fastapi(backend: JWTBackend) -> Pair:
    from fastapi import Depends, FastAPI
    from fastapi.requests import HTTPConnection
    from fastapi.responses import PlainTextResponse

    from asgi_auth.integrations import fastapi as adapter

    guard = requires()

    async def current_user(connection: Any) -> Any:
        guard.check(connection.scope)
        return connection.scope["user"]

    # By hand again: what is local here, FastAPI cannot find by its name.
    current_user.__annotations__["connection"] = HTTPConnection

    def add_route(app: FastAPI, dependency: Any) -> None:
        async def answer(user: Any) -> PlainTextResponse:
            return PlainTextResponse(user.subject)

        answer.__annotations__["user"] = Annotated[Any, Depends(dependency)]
        del answer.__annotations__["return"]
        app.get("/")(answer)

    by_hand, installed = FastAPI(), FastAPI()
    by_hand.add_middleware(
        AuthenticationMiddleware, backend=backend, scope_policy=ScopePolicy(share=True)
    )
    add_route(by_hand, current_user)
    adapter.install(installed, backend)
    add_route(installed, adapter.current_user)
    return by_hand, installed


def _litestar(backend: JWTBackend) -> Pair:
    from litestar import Litestar, Request, get

    from asgi_auth.integrations import litestar as adapter

    guard = requires()

    def app_with(check: Any) -> Litestar:
        @get("/", guards=[check], signature_namespace={"Request": Request})
        async def answer(request: Request) -> str:
            return request.user.subject

        return Litestar([answer], openapi_config=None)

    async def check(connection: Any, handler: Any) -> None:
        guard.check(connection)

    by_hand = app_with(check)
    installed = app_with(adapter.requires())
    adapter.install(installed, backend)
    return AuthenticationMiddleware(by_hand, backend), installed


def _nexios(backend: JWTBackend) -> Pair:
    from nexios import NexiosApp

    from asgi_auth.integrations import nexios as adapter

    async def answer(request: Any, response: Any) -> Any:
        return response.text(request.scope["user"].subject)

    by_hand, installed = NexiosApp(), NexiosApp()
    by_hand.get("/")(requires()(answer))
    installed.get("/")(adapter.requires()(answer))
    adapter.install(installed, backend)
    return AuthenticationMiddleware(by_hand, backend), installed


def _quart(backend: JWTBackend) -> Pair:
    from quart import Quart, request

    from asgi_auth.integrations import quart as adapter

    guard = requires()
    by_hand, installed = Quart("by_hand"), Quart("installed")

    @by_hand.get("/")
    async def checked() -> str:
        guard.check(request)
        return request.scope["user"].subject

    @installed.get("/")
    @adapter.requires()
    async def guarded() -> str:
        return request.scope["user"].subject

    wrapped: Any = AuthenticationMiddleware(by_hand.asgi_app, backend)
    by_hand.asgi_app = wrapped
    adapter.install(installed, backend)
    return by_hand, installed


_ADAPTERS: dict[str, Callable[[JWTBackend], Pair]] = {
    "starlette": _starlette,
    "fastapi": _fastapi,
    "litestar": _litestar,
    "nexios": _nexios,
    "quart": _quart,
}
