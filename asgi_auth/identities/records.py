"""What is kept of an identity, what a provider says, and what a store must do.

Values and a protocol: nothing here does anything.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, Protocol

from asgi_auth._encoding import b64url_encode
from asgi_auth._frozen import freeze
from asgi_auth.tokens.claims import subject_of

__all__ = ["Identity", "IdentityStore", "Profile"]

_ID_BYTES = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """That a user of a provider is a user of ours. Times are Unix seconds.

    Attributes:
        issuer: Whose user: the ``issuer`` of the provider, never only its name.
        subject: The provider's id of the user, which never changes.
        account_id: Which of our accounts it is.
        email: The address that the provider named, for people to recognise it by.
        linked_at: When it was linked.
        tokens: The provider's tokens, sealed, or ``None``.
    """

    issuer: str
    subject: str
    account_id: str
    email: str | None = None
    linked_at: float = 0.0
    tokens: str | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        """Write the account's id as the subject of our tokens has it."""
        object.__setattr__(self, "account_id", subject_of(self.account_id))

    @property
    def id(self) -> str:
        """A name for URLs that shows neither the issuer nor the subject."""
        issuer = self.issuer.encode()
        # With its length in front, no two pairs read the same.
        text = len(issuer).to_bytes(8, "big") + issuer + self.subject.encode()
        return b64url_encode(sha256(text).digest()[:_ID_BYTES]).decode()


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """What a provider says about the user who has logged in there.

    Attributes:
        subject: The provider's id of the user, which never changes.
        email: The address.
        email_verified: The provider has seen the user read mail there.
        name: What the user is called.
        claims: All that it said.
    """

    subject: str
    email: str | None = None
    email_verified: bool = False
    name: str | None = None
    claims: Mapping[str, Any] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        """Freeze what a listener could change by mistake."""
        object.__setattr__(self, "claims", freeze(dict(self.claims)))


class IdentityStore(Protocol):
    """Keeps identities. Each verb is atomic.

    Every verb raises :class:`~asgi_auth.errors.UnavailableError` when the store is
    down.
    """

    async def find(self, issuer: str, subject: str) -> Identity | None:
        """Find an identity by what the provider says."""
        ...

    async def add(self, identity: Identity) -> None:
        """Add an identity.

        Raises:
            IdentityTakenError: There is one of this issuer and subject. Of many calls
                at once, exactly one succeeds.
        """
        ...

    async def list(self, account_id: str) -> Sequence[Identity]:
        """List the identities of an account, the oldest first."""
        ...

    async def save_tokens(self, identity: Identity) -> bool:
        """Replace the tokens, and say whether it is still the same account's."""
        ...

    async def remove(self, identity: Identity, *, unless_last: bool = False) -> bool:
        """Remove an identity of its account, and say whether that was done.

        Args:
            identity: Issuer, subject and account are looked at.
            unless_last: Not if the account has no other. Of many calls at once for
                several identities of one account, one is left.
        """
        ...
