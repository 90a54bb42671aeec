"""Say who an application is to a server that knows it as a client.

By a secret (RFC 6749, section 2.3.1), or by one that is made for each call, as Apple
has it. It sends nothing.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import quote_plus

from asgi_auth.errors import ConfigurationError

__all__ = ["Client", "ClientMethod"]

ClientMethod = Literal["basic", "post"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """Who asks, and how that is shown (RFC 6749, section 2.3.1).

    Attributes:
        id: The ``client_id``.
        secret: Its secret, or what makes one for each call; ``None`` for a public
            client, which has none.
        method: ``basic`` shows both in ``Authorization``, ``post`` in the form; by
            default as the server takes it, as far as that is known.

    Raises:
        ConfigurationError: The id or the secret is empty, or *method* another word.
    """

    id: str
    secret: str | Callable[[], str] | None = field(default=None, repr=False)
    method: ClientMethod | None = None

    def __post_init__(self) -> None:
        """Refuse what no server would know."""
        if not self.id or self.secret == "" or self.method not in {None, *_METHODS}:
            msg = "A Client needs an id, a secret or None, and basic or post."
            raise ConfigurationError(msg)

    def shown(
        self, default: ClientMethod = "basic"
    ) -> tuple[dict[str, str], dict[str, str]]:
        """Return the header fields and the form members that say who asks.

        Args:
            default: The method where none was chosen.
        """
        secret = self.secret() if callable(self.secret) else self.secret
        if secret is None:
            return {}, {"client_id": self.id}

        if (self.method or default) == "post":
            return {}, {"client_id": self.id, "client_secret": secret}

        # Section 2.3.1: encoded as in a form, before it is joined.
        pair = f"{quote_plus(self.id)}:{quote_plus(secret)}".encode("ascii")
        return {"authorization": f"Basic {b64encode(pair).decode()}"}, {}


_METHODS = ("basic", "post")
