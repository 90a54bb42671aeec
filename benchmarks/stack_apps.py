"""The applications that servers run in the suite ``stack``.

The secret of HS256 is fixed, so that the load generator can sign.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

from benchmarks.contestants import CONTESTANTS, load
from benchmarks.material import Material

__all__ = ["NAMES"]

NAMES = {
    "bare": None,
    "ours": "asgi_auth",
    "ours_uncached": "asgi_auth, cache off",
    "starlette": "Starlette + PyJWT",
}
"""Each application's name here, and among the contestants."""


def __getattr__(name: str) -> Any:
    """Make the application that the server asks for, and no other."""
    if name == "bare":
        return import_module("benchmarks.contestants.plain").application("http")

    contestant = NAMES.get(name)
    if contestant not in CONTESTANTS:
        raise AttributeError(name)

    return load(contestant)(Material("HS256"), "http").guarded
