"""Find out where an app is mounted, and say it as Starlette wants it said.

Frameworks differ in what they leave of a path for the app below a mount.
"""

from __future__ import annotations

from asgi_auth._asgi import ASGIApp, Scope

__all__ = ["placed"]


def placed(scope: Scope, app: ASGIApp, prefix: str) -> Scope:
    """Return a scope that says where the routes of *app* begin.

    Args:
        scope: Of a request to the app.
        app: What is mounted.
        prefix: Where it is, for frameworks that do not say so.
    """
    path: str = scope["path"]
    root = str(scope.get("root_path") or "").rstrip("/")
    below = path[len(root) :] if root and path.startswith(root + "/") else path
    if prefix and not root.endswith(prefix):
        root += prefix
        if below.startswith(prefix + "/"):
            below = below[len(prefix) :]

    # Litestar puts a slash at the end of what is below a mount.
    below = below.removesuffix("/") or "/"
    child = {**scope, "root_path": root, "path": root + below}
    # With "app", Starlette raises what it would else answer in plain text; the
    # handlers of an app around us are not for our errors.
    child["app"] = app
    child.pop("starlette.exception_handlers", None)
    return child
