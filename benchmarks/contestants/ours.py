"""This library, as the first page of its documentation sets it up."""

from __future__ import annotations

from asgi_auth import (
    AuthenticationMiddleware,
    BearerHeader,
    JWTBackend,
    QueryParam,
    TokenService,
    Verification,
)
from benchmarks.contestants import Kind, Pair
from benchmarks.contestants.plain import application
from benchmarks.material import AUDIENCE, ISSUER, Material

__all__ = ["build", "make"]


def build(material: Material, kind: Kind) -> Pair:
    """With the table of verified tokens, and revocation."""
    return make(material, kind, 4096)


def make(material: Material, kind: Kind, cache_size: int) -> Pair:
    """Wrap the plain application."""
    tokens = TokenService(
        material.keys,
        issuer=ISSUER,
        audience=AUDIENCE,
        verification=Verification(cache_size=cache_size),
    )
    source = BearerHeader() if kind == "http" else QueryParam("token")
    bare = application(kind)
    backend = JWTBackend(tokens, sources=(source,))
    guarded = AuthenticationMiddleware(bare, backend)
    return Pair(bare, guarded, remembers=cache_size > 0)
