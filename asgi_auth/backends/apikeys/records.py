"""What is kept of an API key, and what a store of them must be able to do.

Values and a protocol: nothing here does anything, and nothing here is a usable key.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from asgi_auth._frozen import freeze

__all__ = ["APIKey", "APIKeyStore", "NewAPIKey"]


@dataclass(frozen=True, slots=True, kw_only=True)
class APIKey:
    """One key, as the store keeps it. Times are seconds since the Unix epoch.

    Attributes:
        id: The public part of the key, by which it is looked up.
        digest: The SHA-256 of the key's whole text, in hex.
        subject: Whose key it is.
        label: What its owner calls it.
        scopes: What it allows.
        roles: The roles that it gives.
        created_at: When it was made.
        expires_at: When it ends, or ``None``.
        last_used_at: When it was last used, to the minute, or ``None``.
        revoked_at: When it was revoked, or ``None``.
        data: Whatever else the application keeps, as read-only JSON.
    """

    id: str
    digest: str = field(repr=False)
    subject: str
    label: str = ""
    scopes: tuple[str, ...] = ()
    roles: tuple[str, ...] = ()
    created_at: float = 0.0
    expires_at: float | None = None
    last_used_at: float | None = None
    revoked_at: float | None = None
    data: Mapping[str, Any] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        """Freeze what a handler could change by mistake."""
        object.__setattr__(self, "scopes", tuple(self.scopes))
        object.__setattr__(self, "roles", tuple(self.roles))
        object.__setattr__(self, "data", freeze(dict(self.data)))


@dataclass(frozen=True, slots=True)
class NewAPIKey:
    """A key that was just made: the only moment at which its text is known.

    Attributes:
        text: ``prefix_id_secret``; show it once, and keep it nowhere.
        record: What is kept of it.
    """

    text: str = field(repr=False)
    record: APIKey


class APIKeyStore(Protocol):
    """Keeps API keys. Each verb is atomic.

    Every verb raises :class:`~asgi_auth.errors.UnavailableError` when the store is
    down.
    """

    async def add(self, key: APIKey) -> None:
        """Add a key; its id is new."""
        ...

    async def find(self, key_id: str) -> APIKey | None:
        """Find a key by its id."""
        ...

    async def list(self, subject: str) -> Sequence[APIKey]:
        """List the keys of a subject, the oldest first, ended ones included."""
        ...

    async def mark(
        self,
        key_id: str,
        *,
        used_at: float | None = None,
        revoked_at: float | None = None,
    ) -> None:
        """Write down a use or the end of a key; an unknown id is passed over.

        A time that is there already does not go back, and a key that was revoked
        stays so.
        """
        ...
