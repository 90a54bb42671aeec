"""Serve the stylesheet of the pages, as it lies in the package."""

from __future__ import annotations

from functools import cache
from hashlib import sha256
from importlib.resources import files
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

__all__ = ["STYLES", "styles"]

STYLES: Final = "/pages.css"
"""Where it is, below the mount."""


def styles(request: Request) -> Response:
    """Send the stylesheet, or say that the browser has it (RFC 9110, 13.1.2)."""
    source, etag = _source()
    headers = {
        "etag": etag,
        "cache-control": "no-cache",
        "x-content-type-options": "nosniff",
    }
    known = request.headers.get("if-none-match", "").split(",")
    if etag in {tag.strip().removeprefix("W/") for tag in known}:
        return Response(status_code=304, headers=headers)

    return Response(source, headers=headers, media_type="text/css")


@cache
def _source() -> tuple[bytes, str]:
    file = files("asgi_auth").joinpath("pages", "static", "pages.css")
    source = file.read_bytes()
    return source, f'"{sha256(source).hexdigest()[:32]}"'
