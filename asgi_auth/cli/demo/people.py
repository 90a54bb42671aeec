"""The users of the demo: one who is ready, and all who register.

Its password is public: the demo is for this machine, and keeps nothing of worth.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any, Final

from asgi_auth.accounts import (
    Account,
    AccountService,
    AccountStore,
    DuplicateAccountError,
    StaleAccountError,
)
from asgi_auth.accounts.base import AccountTokens
from asgi_auth.cli.demo.one_time_codes import OneTimeCodes
from asgi_auth.errors import UnknownSubjectError

__all__ = ["EMAIL", "PASSWORD", "People", "name_of"]

EMAIL: Final = "demo@example.com"
PASSWORD: Final = "violet-otter-42-lamp"  # noqa: S105
_SCOPES: Final = ("orders:read",)
_ADMIN: Final = "admin"


def name_of(account: Account) -> Mapping[str, Any]:
    """Return the claims that say what a user is called."""
    return {"name": account.email.partition("@")[0]}


class People(AccountService):
    """Accounts that may read orders from the start, and become administrators.

    Args:
        accounts: Keeps the accounts.
        tokens: Ends sessions.
        codes: Each is good once in the place of a password.
    """

    def __init__(
        self, accounts: AccountStore, tokens: AccountTokens, codes: OneTimeCodes
    ) -> None:
        super().__init__(accounts, tokens, require_verified=False)
        self._store = accounts
        self._codes = codes

    async def register(
        self,
        email: str,
        password: str,
        *,
        roles: Iterable[str] = (),
        scopes: Iterable[str] = _SCOPES,
        data: Mapping[str, Any] | None = None,
    ) -> Account | None:
        """Make an account that may read orders; see :class:`AccountService`."""
        return await super().register(
            email, password, roles=roles, scopes=scopes, data=data
        )

    async def authenticate(self, email: str, password: str) -> Account:
        """Return the account if the password is right, or a code for a window."""
        subject = self._codes.redeem(password)
        account = None if subject is None else await self.find(subject)
        if account is not None and account.email == email:
            return account

        return await super().authenticate(email, password)

    async def move_in(self) -> None:
        """Make the account that is ready, unless the store has it."""
        with contextlib.suppress(DuplicateAccountError):
            await self.register(EMAIL, PASSWORD)

    async def get(self, account_id: str) -> Account:
        """Return an account that may log in.

        Raises:
            UnknownSubjectError: There is none.
        """
        account = await self.find(account_id)
        if account is None:
            raise UnknownSubjectError

        return account

    async def promote(self, account_id: str, *, admin: bool) -> None:
        """Make a user an administrator, or not; tokens say so when they are new.

        Raises:
            UnknownSubjectError: There is no such account.
        """
        account = await self.get(account_id)
        roles = (_ADMIN,) if admin else ()
        # Two clicks at once want the same.
        with contextlib.suppress(StaleAccountError):
            await self._store.update(replace(account, roles=roles))
