"""Nexios with its own middleware and JWT backend, which knows no audience."""

from __future__ import annotations

from typing import Any

from nexios import NexiosApp
from nexios.auth import AuthenticationMiddleware
from nexios.auth.backends.jwt import JWTAuthBackend

from benchmarks.contestants import Kind, NotThereError, Pair
from benchmarks.material import Material

__all__ = ["build"]


def build(material: Material, kind: Kind) -> Pair:
    """Make the application without and with the middleware."""
    if kind == "websocket":
        msg = "its middleware is for requests only"
        raise NotThereError(msg)

    if not material.is_symmetric:
        msg = "its backend has HS256 only"
        raise NotThereError(msg)

    guarded = _application()
    backend = JWTAuthBackend(identifier="sub", secret_key=material.secret)
    guarded.add_middleware(AuthenticationMiddleware(backend=backend))
    return Pair(_application(), guarded, _without_audience)


def _without_audience(claims: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in claims.items() if name != "aud"}


def _application() -> NexiosApp:
    app = NexiosApp()

    @app.get("/")
    async def answer(request: Any, response: Any) -> Any:
        return response.text("ok")

    return app
