"""Serve the browser client: one ES module, as it lies in the package.

It reads the file as data; what is in it is the affair of ``asgi_auth/client/browser``.
"""

from __future__ import annotations

from base64 import b64encode
from dataclasses import dataclass
from functools import cache
from hashlib import sha384
from importlib.resources import files
from typing import ClassVar

from starlette.requests import Request
from starlette.responses import Response

from asgi_auth.routes.operations import Operations

__all__ = ["BrowserRoutes", "ClientScript", "client_script"]


@dataclass(frozen=True, slots=True)
class ClientScript:
    """The module and its hash.

    Attributes:
        source: The bytes that are served.
        integrity: For ``integrity="..."`` (Subresource Integrity, section 3.5).
    """

    source: bytes
    integrity: str

    @property
    def etag(self) -> str:
        """A strong validator, other for other bytes (RFC 9110, section 8.8.3)."""
        return f'"{self.integrity}"'


@cache
def client_script() -> ClientScript:
    """Read the module, once."""
    source = files("asgi_auth").joinpath("client", "browser", "client.js").read_bytes()
    digest = b64encode(sha384(source).digest()).decode()
    return ClientScript(source, f"sha384-{digest}")


class BrowserRoutes:
    """The handler that pages load their client from."""

    operations: ClassVar[Operations] = Operations()

    __slots__ = ()

    @operations.add(
        part="client",
        method="GET",
        path="/client.js",
        summary="The client for browsers, an ES module",
        answers={200: None, 304: None},
        cookies=False,
    )
    async def client(self, request: Request) -> Response:
        """Send the module, or say that the browser has it (RFC 9110, 13.1.2)."""
        script = client_script()
        headers = {
            "etag": script.etag,
            # A page that names the hash of a newer module must not get an older one.
            "cache-control": "no-cache",
            "x-content-type-options": "nosniff",
        }
        if _is_known(request, script.etag):
            return Response(status_code=304, headers=headers)

        return Response(script.source, headers=headers, media_type="text/javascript")


def _is_known(request: Request, etag: str) -> bool:
    named = ",".join(request.headers.getlist("if-none-match")).split(",")
    # Weakly compared, as proxies that compress make the validator weak.
    tags = {tag.strip().removeprefix("W/") for tag in named}
    return bool(tags & {etag, "*"})
