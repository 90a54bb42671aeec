"""Say where an application stands in the net: its own origin, and whom it trusts.

It decides nothing: the check of origins and the reader of addresses take it apart.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from asgi_auth.credentials.csrf import CrossOriginCheck
from asgi_auth.errors import ConfigurationError

__all__ = ["Site"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """Settings that the middleware, the adapters and the log-in routes share.

    Attributes:
        public_url: The application's own origin as browsers see it, for instance
            ``https://api.example``, where a proxy changes the Host header.
        trusted_origins: Other origins whose pages may send cookies along, for instance
            ``https://app.example`` or ``capacitor://localhost``.
        trusted_proxies: Addresses and networks of your own proxies, which say for whom
            they ask, for instance ``10.0.0.0/8``; ``unix`` for a Unix socket.

    Raises:
        ConfigurationError: An origin is not ``scheme://host[:port]``, or a list is one
            text.
    """

    public_url: str | None = None
    trusted_origins: Sequence[str] = ()
    trusted_proxies: Sequence[str] = ()

    def __post_init__(self) -> None:
        """Refuse what is no origin; keep the lists as they are now."""
        for name in ("trusted_origins", "trusted_proxies"):
            value = getattr(self, name)
            if isinstance(value, str):
                msg = f"{name} is a list, not one text: write [{value!r}]."
                raise ConfigurationError(msg)

            object.__setattr__(self, name, tuple(value))

        self.cross_origin_check()

    def cross_origin_check(self) -> CrossOriginCheck:
        """Make the check that refuses requests of foreign pages."""
        return CrossOriginCheck(self.trusted_origins, self.public_url)
