"""Say which ID tokens of a provider are believed, and what of them.

It judges none: :mod:`asgi_auth.identities.id_token` does.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from asgi_auth._frozen import FrozenDict
from asgi_auth.errors import ConfigurationError
from asgi_auth.keys.jwks import ASYMMETRIC

__all__ = ["IDTokenPolicy", "Vouches"]

Vouches = Callable[[Mapping[str, Any]], bool]
"""Says of claims whether they vouch for the address in them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IDTokenPolicy:
    """What an ID token must be like, and what of it counts.

    Attributes:
        trust_addresses: Whether an address that the provider calls verified counts as
            verified here: then accounts are linked and made by it. Only for a provider
            whose users cannot claim addresses of others. Or what says so of claims.
        says: Claims that must be there with this very value, for instance
            ``{"hd": "shop.example"}``.
        subject: The claim that names the user.
        algorithms: That it may be signed with.

    Raises:
        ConfigurationError: No claim names the user, or a list is one text.
    """

    trust_addresses: bool | Vouches = False
    says: Mapping[str, str] = field(default_factory=FrozenDict)
    subject: str = "sub"
    algorithms: Sequence[str] = ASYMMETRIC

    def __post_init__(self) -> None:
        """Refuse what would name nobody; keep claims and algorithms as they are now."""
        if not self.subject:
            msg = "subject is the claim that names the user, for instance sub."
            raise ConfigurationError(msg)

        if isinstance(self.algorithms, str):
            msg = f"algorithms is a list, not one text: write [{self.algorithms!r}]."
            raise ConfigurationError(msg)

        object.__setattr__(self, "says", FrozenDict(self.says))
        object.__setattr__(self, "algorithms", tuple(self.algorithms))

    def vouches(self, claims: Mapping[str, Any]) -> bool:
        """Return whether *claims* vouch for the address in them."""
        trust = self.trust_addresses
        if callable(trust):
            return trust(claims)

        return trust and claims.get("email_verified") is True
