"""What an issuer publishes: its keys (RFC 7517) and its metadata (RFC 8414).

It publishes public keys only, and no URL that is not https.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import urlsplit

from asgi_auth._drivers.http import check_url
from asgi_auth.errors import ConfigurationError
from asgi_auth.keys import KeySet
from asgi_auth.metadata.document import Document

__all__ = ["JWKSDocument", "ServerMetadata"]


class JWKSDocument(Document):
    """``/.well-known/jwks.json``: the public keys, as they are at the moment.

    To rotate without an outage: :meth:`KeySet.add` the new key, wait for *max_age* and
    for who refreshes later, :meth:`KeySet.promote` it, and :meth:`KeySet.remove` the
    old one when its last token has expired.

    Args:
        keys: Of the issuer.
        path: Where the document is.
        max_age: Seconds that caches may keep it.

    Raises:
        ConfigurationError: The keys are HMAC secrets, of which nothing is public.
    """

    def __init__(
        self,
        keys: KeySet,
        *,
        path: str = "/.well-known/jwks.json",
        max_age: int = 300,
    ) -> None:
        if keys.is_symmetric:
            msg = (
                "HMAC secrets cannot be published: use a key pair, for instance "
                'KeySet.generate("ES256").'
            )
            raise ConfigurationError(msg)

        super().__init__(
            keys.to_jwks,
            path=path,
            max_age=max_age,
            media_type="application/jwk-set+json",
        )


class ServerMetadata(Document):
    """``/.well-known/oauth-authorization-server``: where an issuer has what.

    Args:
        issuer: The ``iss`` of its tokens: https, without query and fragment.
        jwks_uri: Where its keys are; by default ``/.well-known/jwks.json`` below it.
        scopes: The ``scopes_supported``.
        more: Further members of RFC 8414, section 2, for instance endpoints.
        max_age: Seconds that caches may keep it.

    Raises:
        ConfigurationError: A URL is unsafe.
    """

    def __init__(
        self,
        issuer: str,
        *,
        jwks_uri: str | None = None,
        scopes: Iterable[str] = (),
        more: Mapping[str, Any] | None = None,
        max_age: int = 300,
    ) -> None:
        parts = urlsplit(check_url(issuer, "issuer"))
        if parts.query:
            msg = "issuer must have no query (RFC 8414, section 2)."
            raise ConfigurationError(msg)

        document = {
            "issuer": issuer,
            "jwks_uri": jwks_uri or f"{issuer.rstrip('/')}/.well-known/jwks.json",
            "response_types_supported": [],
            **(more or {}),
        }
        if scope_names := [*scopes]:
            document["scopes_supported"] = scope_names

        for name, value in document.items():
            if name.endswith(("_uri", "_endpoint")):
                check_url(value, name)

        path = "/.well-known/oauth-authorization-server" + parts.path.rstrip("/")
        super().__init__(lambda: document, path=path, max_age=max_age)
