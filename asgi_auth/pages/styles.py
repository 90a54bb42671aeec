"""Serve the stylesheet and the script of the pages, as they lie in the package."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from hashlib import sha256
from importlib.resources import files
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

__all__ = ["FILES", "send_file"]

FILES: Final[Mapping[str, str]] = {
    "/pages.css": "text/css",
    "/passkeys.js": "text/javascript",
}
"""Where they are, below the mount, and of which type."""


def send_file(path: str, request: Request) -> Response:
    """Send a file, or say that the browser has it (RFC 9110, 13.1.2)."""
    source, etag = _source(path)
    headers = {
        "etag": etag,
        "cache-control": "no-cache",
        "x-content-type-options": "nosniff",
    }
    known = request.headers.get("if-none-match", "").split(",")
    if etag in {tag.strip().removeprefix("W/") for tag in known}:
        return Response(status_code=304, headers=headers)

    return Response(source, headers=headers, media_type=FILES[path])


@cache
def _source(path: str) -> tuple[bytes, str]:
    file = files("asgi_auth").joinpath("pages", "static", path.removeprefix("/"))
    source = file.read_bytes()
    return source, f'"{sha256(source).hexdigest()[:32]}"'
