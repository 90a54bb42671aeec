"""Litestar with its own ``JWTAuth``."""

from __future__ import annotations

from typing import Any

from litestar import Litestar, get
from litestar.connection import ASGIConnection
from litestar.security.jwt import JWTAuth, Token

from benchmarks.contestants import Kind, NotThereError, Pair
from benchmarks.material import AUDIENCE, ISSUER, Material

__all__ = ["build"]


@get("/", media_type="text/plain")
async def answer() -> str:
    """Answer a request."""
    return "ok"


async def _user(token: Token, connection: ASGIConnection[Any, Any, Any, Any]) -> str:
    return token.sub


def build(material: Material, kind: Kind) -> Pair:
    """Make the application without and with ``JWTAuth``."""
    if kind == "websocket":
        msg = "reads tokens from headers and cookies only"
        raise NotThereError(msg)

    auth = JWTAuth[str](
        retrieve_user_handler=_user,
        # The secret, or the public key: here it only verifies.
        token_secret=material.verify_key,
        algorithm=material.algorithm,
        accepted_audiences=[AUDIENCE],
        accepted_issuers=[ISSUER],
    )
    return Pair(
        Litestar([answer], openapi_config=None),
        Litestar([answer], openapi_config=None, on_app_init=[auth.on_app_init]),
    )
