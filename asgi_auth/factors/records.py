"""What is kept of a user's second factors, and what a store of them does.

Values and protocols only: nothing here does anything.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from asgi_auth._frozen import freeze

__all__ = ["FactorKind", "FactorRecord", "FactorStore"]

FactorKind = Literal["totp", "email", "recovery"]
"""What there can be; of each, a user has one record at most."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FactorRecord:
    """One kind of second factor of one user, as the store keeps it.

    Attributes:
        subject: Whose it is: the id of the account.
        kind: What it is.
        since: When it was set up or replaced, in Unix seconds.
        used_at: When it last let the user in, if it has.
        data: What it takes to check it, as JSON: secrets sealed, codes as digests.
        version: Counts changes; a store replaces only the version it has. 0: new.
    """

    subject: str
    kind: FactorKind
    since: float
    used_at: float | None = None
    data: Mapping[str, Any] = field(default_factory=dict, repr=False)
    version: int = 0

    def __post_init__(self) -> None:
        """Freeze the data."""
        object.__setattr__(self, "data", freeze(dict(self.data)))

    @property
    def is_set_up(self) -> bool:
        """Whether the factor counts; an address may still have to be confirmed."""
        return self.kind != "email" or bool(self.data["confirmed"])


class FactorStore(Protocol):
    """Keeps second factors. Each verb is atomic.

    Every verb raises :class:`~asgi_auth.errors.UnavailableError` when the store is
    down.
    """

    async def find(self, subject: str) -> Sequence[FactorRecord]:
        """Return all factors of a user: of each kind one at most."""
        ...

    async def put(self, record: FactorRecord) -> FactorRecord:
        """Write a factor, and return it as stored: with its version counted up.

        It is what uses a code up: of many calls at once with one version, exactly one
        succeeds.

        Args:
            record: With version 0, the user has none of this kind yet; else it
                replaces the one of this version.

        Raises:
            StaleFactorError: The stored version is another one.
        """
        ...

    async def remove(self, subject: str, kind: FactorKind | None = None) -> None:
        """Remove one kind of factor of a user, or all, if there are any."""
        ...
