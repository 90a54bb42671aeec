"""Who competes: one file each, with the same application bare and guarded.

Each file has ``build(material, kind)``; what it cannot do it says with
``NotThereError``. A contestant that is not installed is left out, which is told.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Literal

from asgi_auth._asgi import ASGIApp
from benchmarks.material import Material

__all__ = ["CONTESTANTS", "Kind", "NotThereError", "Pair", "load"]

Kind = Literal["http", "websocket"]

CONTESTANTS = {
    "asgi_auth": "ours",
    "asgi_auth, cache off": "ours_uncached",
    "Starlette + PyJWT": "starlette_pyjwt",
    "Litestar JWTAuth": "litestar_jwt",
    "FastAPI, by hand": "fastapi_by_hand",
    "Nexios": "nexios_jwt",
    "authx": "authx_fastapi",
    "fastapi-users": "fastapi_users_jwt",
}


class NotThereError(Exception):
    """The contestant has no such thing; the text says what."""


@dataclass(frozen=True)
class Pair:
    """One application twice.

    Attributes:
        bare: Without authentication.
        guarded: With it.
        adapt: What the contestant demands of the claims.
        remembers: Good tokens are kept: for new ones, its table is filled first.
    """

    bare: ASGIApp
    guarded: ASGIApp
    adapt: Callable[[dict[str, Any]], Mapping[str, Any]] = dict
    remembers: bool = False


Build = Callable[[Material, Kind], Pair]


def load(name: str) -> Build:
    """Import a contestant.

    Raises:
        ImportError: It is not installed.
    """
    build: Build = import_module(f"benchmarks.contestants.{CONTESTANTS[name]}").build
    return build
