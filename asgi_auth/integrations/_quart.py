"""Where Quart's own paths begin.

It is for the adapter; it guards nothing.
"""

from __future__ import annotations

from typing import Any

from asgi_auth.typing import ASGIApp, Receive, Scope, Send

__all__ = ["rooted"]


def rooted(inner: Any) -> ASGIApp:
    """Have Quart begin where the middleware does.

    Quart cuts ``root_path`` off within a segment: with ``/api`` it would find
    ``/private`` in ``/apiprivate``.
    """

    async def begun(scope: Scope, receive: Receive, send: Send) -> None:
        path, given = scope.get("path", ""), scope.get("root_path") or ""
        root = given.rstrip("/")
        if root and path.startswith(root) and not f"{path}/".startswith(f"{root}/"):
            scope = {**scope, "path": given}  # Quart knows nothing there.

        await inner(scope, receive, send)

    return begun
