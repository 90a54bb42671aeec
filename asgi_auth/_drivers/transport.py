"""How other servers are asked, as an application chooses it once for all of them.

It sends nothing, and imports no driver.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

from asgi_auth._drivers.urls import check_url
from asgi_auth.errors import ConfigurationError

__all__ = ["Fetch", "Transport"]

Fetch = Callable[
    [str, Mapping[str, str], bytes | None],
    Awaitable[tuple[int, Mapping[str, str], bytes]],
]
"""Takes URL, header fields and body (``None``: GET, else POST); returns status,
header fields with lower-case names, and body. It must not follow redirects."""


@dataclass(frozen=True, slots=True)
class Transport:
    """How other servers are asked, such as an issuer for its keys.

    Attributes:
        fetch: Sends requests; ``None`` takes httpx2, from the extra ``http``.
        timeout: Seconds until an answer must be complete.
        insecure_http: Take http to private addresses and names as well, as within one
            cluster or Compose project: all that is asked and answered passes in the
            clear.

    Raises:
        ConfigurationError: The timeout is not positive.
    """

    fetch: Fetch | None = field(default=None, repr=False)
    timeout: float = field(default=5, kw_only=True)
    insecure_http: bool = field(default=False, kw_only=True)

    def __post_init__(self) -> None:
        """Refuse to wait for ever, or not at all."""
        if self.timeout <= 0:
            msg = "A Transport needs a positive timeout."
            raise ConfigurationError(msg)

    def check_url(self, url: str, what: str) -> str:
        """Return *url* if it is safe.

        Args:
            url: What may be one.
            what: The name of the setting, for the error.

        Raises:
            ConfigurationError: It is not.
        """
        return check_url(url, what, insecure_http=self.insecure_http)
