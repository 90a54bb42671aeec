"""Change what a store keeps, so that of many changes at once none is lost.

It knows no codes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Final

from asgi_auth.errors import UnavailableError
from asgi_auth.factors.errors import StaleFactorError
from asgi_auth.factors.records import FactorKind, FactorRecord, FactorStore

__all__ = ["Edit", "Ledger"]

Edit = Callable[[FactorRecord | None], FactorRecord]
"""Returns the record that is to be, or raises where the present one forbids it."""

# Each lost race means that another code of the user was used up, or a guess counted:
# there are 10 codes, and 5 guesses for each of few messages.
_TRIES: Final = 20


class Ledger:
    """The factors of users.

    Args:
        store: Keeps them.
    """

    __slots__ = ("_store",)

    def __init__(self, store: FactorStore) -> None:
        self._store = store

    async def find(self, subject: str) -> Mapping[FactorKind, FactorRecord]:
        """Return the factors of a user by kind."""
        return {record.kind: record for record in await self._store.find(subject)}

    async def change(
        self, subject: str, kind: FactorKind, present: FactorRecord | None, edit: Edit
    ) -> FactorRecord:
        """Apply an edit to a factor, and again where somebody was faster.

        Args:
            subject: Whose.
            kind: Which.
            present: As it was just read.
            edit: Is called again with what is there by then.

        Raises:
            UnavailableError: Others were always faster, or the store is down.
        """
        for _ in range(_TRIES):
            edited = edit(present)
            with suppress(StaleFactorError):
                return await self._store.put(edited)

            present = (await self.find(subject)).get(kind)

        msg = "others were always faster to change a second factor"
        raise UnavailableError(msg)
