"""FastAPI with the dependency that most people write themselves."""

from __future__ import annotations

from typing import Any

import jwt
from fastapi import Depends, FastAPI, HTTPException, WebSocket, WebSocketException
from fastapi.responses import PlainTextResponse
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from benchmarks.contestants import Kind, Pair
from benchmarks.material import Material

__all__ = ["application", "build", "sockets"]


def application(*dependencies: Any) -> FastAPI:
    """Make an application with one path, for requests."""
    app = FastAPI(openapi_url=None)

    @app.get("/", dependencies=list(dependencies), response_class=PlainTextResponse)
    async def answer() -> PlainTextResponse:
        return PlainTextResponse("ok")

    return app


def sockets(*dependencies: Any) -> FastAPI:
    """Make an application with one path, for sockets."""
    app = FastAPI(openapi_url=None)

    @app.websocket("/", dependencies=list(dependencies))
    async def greet(socket: WebSocket) -> None:
        await socket.accept()
        await socket.close()

    return app


def build(material: Material, kind: Kind) -> Pair:
    """Make the application without and with the dependency."""
    bearer = HTTPBearer()

    async def from_header(
        sent: HTTPAuthorizationCredentials = Depends(bearer),  # noqa: B008
    ) -> dict[str, Any]:
        try:
            return material.decode(sent.credentials)
        except jwt.InvalidTokenError as error:
            challenge = {"WWW-Authenticate": "Bearer"}
            raise HTTPException(401, "invalid token", challenge) from error

    async def from_query(token: str) -> dict[str, Any]:
        try:
            return material.decode(token)
        except jwt.InvalidTokenError as error:
            raise WebSocketException(1008) from error

    if kind == "http":
        return Pair(application(), application(Depends(from_header)))

    return Pair(sockets(), sockets(Depends(from_query)))
