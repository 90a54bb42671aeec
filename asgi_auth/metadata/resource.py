"""Publish which issuers a service trusts (RFC 9728), as MCP asks for.

It informs; it protects nothing. That is for the middleware, which gets the challenge.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import urlsplit

from asgi_auth._drivers.http import check_url
from asgi_auth.errors import ConfigurationError
from asgi_auth.metadata.document import Document
from asgi_auth.responses.challenge import Challenge

__all__ = ["ProtectedResource"]

_WELL_KNOWN = "/.well-known/oauth-protected-resource"


class ProtectedResource(Document):
    """The metadata of one protected resource, and the challenge that leads to them.

    .. code-block:: python

        resource = ProtectedResource(
            "https://api.example/mcp", issuers=["https://idp.example"], scopes=["tools"]
        )
        backend = IssuersBackend(trusted, challenge=resource.challenge)
        app = resource.around(AuthenticationMiddleware(app, backend, required=True))

    Args:
        resource: The identifier, which is the URL that clients use and the audience
            of its tokens: https, or http to the loopback interface.
        issuers: The ``authorization_servers``: who issues its tokens.
        scopes: What clients should ask for; named in every challenge that does not
            know better.
        name: What people call it.
        more: Further members of RFC 9728, section 2.
        max_age: Seconds that caches may keep the document.

    Attributes:
        url: Where the document is.
        challenge: For the backend.

    Raises:
        ConfigurationError: A URL is unsafe, or no issuer is named.
    """

    def __init__(
        self,
        resource: str,
        *,
        issuers: Iterable[str],
        scopes: Iterable[str] = (),
        name: str | None = None,
        more: Mapping[str, Any] | None = None,
        max_age: int = 300,
    ) -> None:
        parts = urlsplit(check_url(resource, "resource"))
        servers = [check_url(issuer, "issuers") for issuer in issuers]
        if not servers:
            msg = "ProtectedResource needs the issuers whose tokens are taken."
            raise ConfigurationError(msg)

        scope_names = [*scopes]
        document = {
            "resource": resource,
            "authorization_servers": servers,
            "bearer_methods_supported": ["header"],
            **(more or {}),
        }
        if scope_names:
            document["scopes_supported"] = scope_names

        if name is not None:
            document["resource_name"] = name

        # RFC 9728, section 3.1: between the host and the path; a lone slash goes.
        path = _WELL_KNOWN + ("" if parts.path == "/" else parts.path)
        super().__init__(lambda: document, path=path, max_age=max_age)
        query = f"?{parts.query}" if parts.query else ""
        self.url: str = f"{parts.scheme}://{parts.netloc}{path}{query}"
        params = {"resource_metadata": self.url}
        if scope_names:
            params["scope"] = " ".join(scope_names)

        self.challenge: Challenge = Challenge(params=params)
