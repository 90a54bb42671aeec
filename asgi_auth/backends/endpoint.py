"""Where an issuer is asked about tokens, as whom, and how often (RFC 7662).

It asks nothing, and holds no answer.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from asgi_auth._drivers.oauth_client import Client
from asgi_auth._drivers.transport import Transport
from asgi_auth.errors import ConfigurationError

__all__ = ["IntrospectionEndpoint"]

_LONGEST_CACHE = 30


@dataclass(frozen=True, slots=True)
class IntrospectionEndpoint:
    """Where an issuer is asked about tokens, as whom, and how often.

    Attributes:
        url: Of the issuer: https, or http to the loopback interface.
        client: This service, as the issuer knows it; it needs a secret.
        cache_ttl: Seconds that an answer is believed, 0 to 30, and never beyond the
            token's ``exp``: for so long a revoked token still passes. That a token is
            not active is believed for 10 seconds at most.
        transport: How it is asked.

    Raises:
        ConfigurationError: The URL is not safe, the client has no secret, or
            *cache_ttl* is out of bounds.
    """

    url: str
    client: Client = field(kw_only=True)
    cache_ttl: float = field(default=_LONGEST_CACHE, kw_only=True)
    transport: Transport = field(default=Transport(), kw_only=True)

    def __post_init__(self) -> None:
        """Refuse what no issuer would answer, and what would be believed too long."""
        self.transport.check_url(self.url, "url")
        if self.client.secret is None:
            msg = "IntrospectionEndpoint needs a client with a secret (RFC 7662, 2.1)."
            raise ConfigurationError(msg)

        if not 0 <= self.cache_ttl <= _LONGEST_CACHE:
            msg = f"cache_ttl must be 0 to {_LONGEST_CACHE} seconds."
            raise ConfigurationError(msg)
