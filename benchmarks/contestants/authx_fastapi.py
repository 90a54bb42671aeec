"""FastAPI with authx's dependency."""

from __future__ import annotations

from authx import AuthX, AuthXConfig
from fastapi import Depends

from benchmarks.contestants import Kind, Pair
from benchmarks.contestants.fastapi_by_hand import application, sockets
from benchmarks.material import AUDIENCE, ISSUER, Material

__all__ = ["build"]


def build(material: Material, kind: Kind) -> Pair:
    """Make the application without and with the dependency."""
    keys = (
        {"JWT_SECRET_KEY": material.secret}
        if material.is_symmetric
        else {
            "JWT_PRIVATE_KEY": material.private_pem,
            "JWT_PUBLIC_KEY": material.verify_key,
        }
    )
    auth = AuthX(
        AuthXConfig(
            JWT_ALGORITHM=material.algorithm,
            JWT_DECODE_ALGORITHMS=[material.algorithm],
            JWT_DECODE_AUDIENCE=AUDIENCE,
            JWT_DECODE_ISSUER=ISSUER,
            **keys,
        )
    )
    if kind == "websocket":
        return Pair(sockets(), sockets(auth.WS_AUTH_REQUIRED))

    guarded = application(Depends(auth.access_token_required))
    auth.handle_errors(guarded)
    return Pair(application(), guarded)
