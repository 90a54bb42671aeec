"""Identities in the memory of this process, for tests and demos.

Nothing is written anywhere: they are gone when the process ends.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from asgi_auth.identities.errors import IdentityTakenError
from asgi_auth.identities.records import Identity

__all__ = ["MemoryIdentities"]


class MemoryIdentities:
    """An :class:`IdentityStore` of two dictionaries.

    No verb waits in between, so each is atomic on one event loop.
    """

    def __init__(self) -> None:
        self._identities: dict[tuple[str, str], Identity] = {}
        self._by_account: dict[str, dict[tuple[str, str], None]] = {}

    async def find(self, issuer: str, subject: str) -> Identity | None:
        """Find an identity by what the provider says."""
        return self._identities.get((issuer, subject))

    async def add(self, identity: Identity) -> None:
        """Add an identity.

        Raises:
            IdentityTakenError: There is one of this issuer and subject.
        """
        key = (identity.issuer, identity.subject)
        if key in self._identities:
            raise IdentityTakenError

        self._identities[key] = identity
        self._by_account.setdefault(identity.account_id, {})[key] = None

    async def list(self, account_id: str) -> Sequence[Identity]:
        """List the identities of an account, the oldest first."""
        identities = [self._identities[k] for k in self._by_account.get(account_id, ())]
        return sorted(identities, key=lambda each: (each.linked_at, each.id))

    async def save_tokens(self, identity: Identity) -> bool:
        """Replace the tokens, and say whether it is still the same account's."""
        present = self._own(identity)
        if present is None:
            return False

        key = (identity.issuer, identity.subject)
        self._identities[key] = replace(present, tokens=identity.tokens)
        return True

    async def remove(self, identity: Identity, *, unless_last: bool = False) -> bool:
        """Remove an identity of its account, and say whether that was done."""
        if self._own(identity) is None:
            return False

        keys = self._by_account[identity.account_id]
        if unless_last and len(keys) == 1:
            return False

        key = (identity.issuer, identity.subject)
        del self._identities[key], keys[key]
        if not keys:
            del self._by_account[identity.account_id]

        return True

    def _own(self, identity: Identity) -> Identity | None:
        present = self._identities.get((identity.issuer, identity.subject))
        is_own = present is not None and present.account_id == identity.account_id
        return present if is_own else None
