"""What a server says that a proxy has cut off, and whether that can be believed.

ASGI has ``root_path`` as a part of ``path``. Some servers and mounts leave it out.
"""

from __future__ import annotations

import sys

from asgi_auth._asgi import Scope

__all__ = ["is_root_named_by_client", "public_path"]


def is_root_named_by_client() -> bool:
    """Say whether the server is Daphne, which takes ``root_path`` from a header."""
    return "daphne.server" in sys.modules


def public_path(scope: Scope) -> str:
    """Return the path of a request as it stands in the address, decoded.

    There is one: of two, a caller could choose. On Daphne it is that of the request
    line, without what a proxy has cut off.
    """
    path: str = scope["path"]
    root = str(scope.get("root_path") or "").rstrip("/")
    if is_root_named_by_client() or path == root or path.startswith(root + "/"):
        return path

    return root + path
