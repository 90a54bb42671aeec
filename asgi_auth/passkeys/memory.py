"""Passkeys in the memory of one process: for tests and trials.

They are gone with the process, and no other one sees them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from asgi_auth.passkeys.errors import DuplicatePasskeyError
from asgi_auth.passkeys.records import Passkey

__all__ = ["MemoryPasskeys"]


class MemoryPasskeys:
    """A :class:`PasskeyStore` that forgets everything with its process.

    No verb waits in between, so each is atomic on one event loop.
    """

    def __init__(self) -> None:
        self._by_id: dict[str, Passkey] = {}
        # Of each subject the ids, in the order in which they came.
        self._of: dict[str, dict[str, None]] = {}

    async def add(self, passkey: Passkey) -> None:
        """Add a passkey.

        Raises:
            DuplicatePasskeyError: Its id is taken.
        """
        if passkey.id in self._by_id:
            raise DuplicatePasskeyError

        self._by_id[passkey.id] = passkey
        self._of.setdefault(passkey.subject, {})[passkey.id] = None

    async def find(self, passkey_id: str) -> Passkey | None:
        """Find a passkey by its id."""
        return self._by_id.get(passkey_id)

    async def list(self, subject: str) -> Sequence[Passkey]:
        """List the passkeys of a subject, the oldest first."""
        passkeys = [self._by_id[each] for each in self._of.get(subject, ())]
        return sorted(passkeys, key=lambda passkey: (passkey.created_at, passkey.id))

    async def use(
        self,
        passkey_id: str,
        *,
        sign_count: int,
        is_backed_up: bool,
        at: float,
        any_count: bool = False,
    ) -> bool:
        """Write down a use, and return whether the counter allows it."""
        passkey = self._by_id.get(passkey_id)
        if passkey is None:
            return False

        kept = passkey.sign_count
        if not (any_count or sign_count > kept or sign_count == kept == 0):
            return False

        self._by_id[passkey_id] = replace(
            passkey,
            sign_count=max(kept, sign_count),
            is_backed_up=is_backed_up,
            last_used_at=max(at, passkey.last_used_at or at),
        )
        return True

    async def rename(self, passkey_id: str, subject: str, name: str) -> bool:
        """Name a passkey; return whether the subject has one with this id."""
        passkey = self._by_id.get(passkey_id)
        if passkey is None or passkey.subject != subject:
            return False

        self._by_id[passkey_id] = replace(passkey, name=name)
        return True

    async def remove(self, passkey_id: str | None, subject: str) -> bool:
        """Remove a passkey of a subject, or all; return whether there was any."""
        ids = self._of.get(subject, {})
        chosen = [each for each in ids if passkey_id in (None, each)]
        for each in chosen:
            del self._by_id[each], ids[each]

        if not ids:
            self._of.pop(subject, None)

        return bool(chosen)
