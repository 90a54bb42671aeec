"""Say what the middleware does with the scope that it hands to an app.

It hands none over.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["ScopePolicy"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ScopePolicy:
    """What an app, and what stands around it, get to see of a request.

    Attributes:
        share: Write into the scope that we are given instead of into a copy, so that
            what stands around reads the caller too. By default as a framework needs it:
            ``install`` shares it in Starlette, FastAPI, Litestar and Nexios.
        track_current: Make :func:`~asgi_auth.tracking.current_principal` work.
        strip_credentials: Take what callers are identified by out of the headers that
            the app gets.
    """

    share: bool | None = None
    track_current: bool = False
    strip_credentials: bool = False
