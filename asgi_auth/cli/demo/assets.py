"""The files of the page, read once, and served with a strict policy for scripts.

Nothing else on the disk can be had: a path is looked up, never joined.
"""

from __future__ import annotations

from importlib.resources import files
from typing import Final

from asgi_auth._asgi import Headers, Scope, Send
from asgi_auth.cli.demo.answers import send_bytes

__all__ = ["Assets"]

_TYPES: Final = {
    "css": b"text/css; charset=utf-8",
    "html": b"text/html; charset=utf-8",
    "js": b"text/javascript; charset=utf-8",
    "svg": b"image/svg+xml",
}
_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
)
_HEADERS: Final[Headers] = [
    (b"content-security-policy", _POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cache-control", b"no-cache"),
]


class Assets:
    """The page at ``/``, and its files at ``/page/...``."""

    __slots__ = ("_files",)

    def __init__(self) -> None:
        folder = files("asgi_auth.cli.demo") / "page"
        self._files = {
            f"/page/{file.name}": (_TYPES[kind], file.read_bytes())
            for file in folder.iterdir()
            if (kind := file.name.rpartition(".")[2]) in _TYPES
        }
        self._files["/"] = self._files.pop("/page/index.html")

    def has(self, scope: Scope) -> bool:
        """Say whether the path is one of the files'."""
        return scope["path"] in self._files

    async def serve(self, scope: Scope, send: Send) -> None:
        """Answer with the file of the path."""
        kind, body = self._files[scope["path"]]
        await send_bytes(send, body, [(b"content-type", kind), *_HEADERS])
