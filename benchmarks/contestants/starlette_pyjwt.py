"""Starlette's middleware with a backend that calls PyJWT: what its pages suggest."""

from __future__ import annotations

import jwt
from starlette.authentication import (
    AuthCredentials,
    AuthenticationBackend,
    AuthenticationError,
    SimpleUser,
)
from starlette.middleware.authentication import AuthenticationMiddleware
from starlette.requests import HTTPConnection

from benchmarks.contestants import Kind, Pair
from benchmarks.contestants.plain import application
from benchmarks.material import Material

__all__ = ["build"]


class _Backend(AuthenticationBackend):
    def __init__(self, material: Material) -> None:
        self._decode = material.decode

    def _token(self, connection: HTTPConnection) -> str | None:
        scheme, _, token = connection.headers.get("authorization", "").partition(" ")
        return token if scheme.lower() == "bearer" else None

    async def authenticate(
        self, conn: HTTPConnection
    ) -> tuple[AuthCredentials, SimpleUser] | None:
        token = self._token(conn)
        if token is None:
            return None

        try:
            claims = self._decode(token)
        except jwt.InvalidTokenError as error:
            msg = "invalid token"
            raise AuthenticationError(msg) from error

        scopes = ["authenticated", *claims["roles"]]
        return AuthCredentials(scopes), SimpleUser(claims["sub"])


class _QueryBackend(_Backend):
    def _token(self, connection: HTTPConnection) -> str | None:
        return connection.query_params.get("token")


def build(material: Material, kind: Kind) -> Pair:
    """Wrap the plain application."""
    bare = application(kind)
    backend = (_Backend if kind == "http" else _QueryBackend)(material)
    return Pair(bare, AuthenticationMiddleware(bare, backend=backend))
