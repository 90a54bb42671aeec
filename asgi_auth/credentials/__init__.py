"""Credentials: where they stand in a request, and whether a page may send them.

Nothing here verifies one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from asgi_auth._lazy import lazily

if TYPE_CHECKING:
    from asgi_auth.credentials.reader import Credential
    from asgi_auth.credentials.site import Site
    from asgi_auth.credentials.sources import (
        BearerHeader,
        Cookie,
        Header,
        QueryParam,
        Source,
        Subprotocol,
        WholeScope,
    )
else:
    __getattr__ = lazily(
        __name__,
        {
            "reader": "Credential",
            "site": "Site",
            "sources": (
                "BearerHeader Cookie Header QueryParam Source Subprotocol WholeScope"
            ),
        },
    )

__all__ = [
    "BearerHeader",
    "Cookie",
    "Credential",
    "Header",
    "QueryParam",
    "Site",
    "Source",
    "Subprotocol",
    "WholeScope",
]
