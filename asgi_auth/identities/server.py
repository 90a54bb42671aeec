"""Say where a provider of plain OAuth is, and what it is worth.

It asks nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

from asgi_auth.errors import ConfigurationError

__all__ = ["AuthorizationServer"]


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthorizationServer:
    """An authorization server (RFC 6749, section 1.1), which publishes no metadata.

    Attributes:
        authorize_url: Where browsers are sent.
        token_url: Where codes are redeemed.
        issuer: Names it where identities are kept, and is what an ``iss`` of an answer
            must be; by default the origin of *authorize_url*. Tenants of one host each
            need one of their own.
        trust_addresses: Whether an address that it calls verified counts as verified
            here: then accounts are linked and made by it. Only for a server whose users
            cannot claim addresses of others.

    Raises:
        ConfigurationError: An address is missing.
    """

    authorize_url: str
    token_url: str
    issuer: str = ""
    trust_addresses: bool = False

    def __post_init__(self) -> None:
        """Refuse what has no address; whether that is safe depends on the transport."""
        if not self.authorize_url or not self.token_url:
            msg = "An AuthorizationServer needs authorize_url and token_url."
            raise ConfigurationError(msg)

        origin = "/".join(self.authorize_url.split("/")[:3])
        object.__setattr__(self, "issuer", self.issuer or origin)
