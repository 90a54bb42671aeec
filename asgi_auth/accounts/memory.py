"""Accounts in the memory of this process, for tests and demos.

Nothing is written anywhere: they are gone when the process ends.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections.abc import Sequence
from dataclasses import replace
from itertools import islice

from asgi_auth.accounts.base import Account
from asgi_auth.accounts.errors import DuplicateAccountError, StaleAccountError

__all__ = ["MemoryAccounts"]


class MemoryAccounts:
    """An :class:`AccountStore` of two dictionaries and a sorted list.

    No verb waits in between, so each is atomic on one event loop.
    """

    def __init__(self) -> None:
        self._by_id: dict[str, Account] = {}
        self._ids: dict[str, str] = {}
        self._in_order: list[str] = []

    async def find_by_email(self, email: str) -> Account | None:
        """Find an account by its address."""
        account_id = self._ids.get(email)
        return None if account_id is None else self._by_id[account_id]

    async def find_by_id(self, account_id: str) -> Account | None:
        """Find an account by its id."""
        return self._by_id.get(account_id)

    async def add(self, account: Account) -> Account:
        """Add an account.

        Raises:
            DuplicateAccountError: The address or the id is taken.
        """
        if account.email in self._ids or account.id in self._by_id:
            raise DuplicateAccountError

        self._by_id[account.id] = account
        self._ids[account.email] = account.id
        insort(self._in_order, account.id)
        return account

    async def update(self, account: Account) -> Account:
        """Replace the account with this id and this version.

        Raises:
            StaleAccountError: The stored version is another one, or there is none.
            DuplicateAccountError: The new address is taken.
        """
        old = self._by_id.get(account.id)
        if old is None or old.version != account.version:
            raise StaleAccountError

        if self._ids.get(account.email, account.id) != account.id:
            raise DuplicateAccountError

        del self._ids[old.email]
        self._ids[account.email] = account.id
        stored = replace(account, version=account.version + 1)
        self._by_id[account.id] = stored
        return stored

    async def page(self, *, search: str, after: str, limit: int) -> Sequence[Account]:
        """Return a page of accounts, ordered by their ids."""
        ids = self._in_order
        places = range(bisect_right(ids, after), len(ids))
        accounts = (self._by_id[ids[place]] for place in places)
        fitting = (account for account in accounts if search in account.email)
        return list(islice(fitting, limit))

    async def remove(self, account_id: str) -> None:
        """Delete an account, if it is there."""
        account = self._by_id.pop(account_id, None)
        if account is not None:
            del self._ids[account.email]
            del self._in_order[bisect_left(self._in_order, account_id)]
