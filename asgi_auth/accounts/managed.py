"""Lets the log-in routes work with users that an application keeps by itself.

Logging in is all it does: nothing is registered, changed or sent.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

from asgi_auth.accounts.base import Account
from asgi_auth.accounts.errors import AccountDisabledError
from asgi_auth.accounts.manager import AuthManager
from asgi_auth.errors import InvalidCredentialsError
from asgi_auth.principal import is_user

__all__ = ["ManagedAccounts"]

User = TypeVar("User")


class ManagedAccounts(Generic[User]):
    """The users of an :class:`AuthManager`, as accounts.

    Args:
        manager: Finds users and checks passwords.
        account_of: Says what a user is as an account. ``id``, ``email``, ``roles``,
            ``scopes`` and ``disabled`` count.
    """

    sends_mail = False

    def __init__(
        self, manager: AuthManager[User], *, account_of: Callable[[User], Account]
    ) -> None:
        self._manager = manager
        self._account_of = account_of

    async def authenticate(self, email: str, password: str) -> Account:
        """Return the account if the password is right.

        Raises:
            InvalidCredentialsError: The address or the password is wrong.
            AccountDisabledError: The password is right, and the account disabled.
        """
        user = await self._manager.authenticate(email, password)
        if user is None or not is_user(user):
            raise InvalidCredentialsError

        account = self._account_of(user)
        if account.disabled:
            raise AccountDisabledError
        return account

    async def confirm_password(self, account_id: str, password: str) -> Account:
        """Check the password of a user who is logged in, before something serious.

        Raises:
            InvalidCredentialsError: The password is wrong, or the user is gone.
            AccountDisabledError: The password is right, and the account disabled.
        """
        user = await self._manager.get_user_by_id(account_id)
        if user is None or not is_user(user):
            raise InvalidCredentialsError
        return await self.authenticate(self._account_of(user).email, password)

    async def find_by_id(self, account_id: str) -> Account | None:
        """Return the account of a subject, so that ``grants_of`` renews its rights."""
        return await self.find(account_id)

    async def find(self, account_id: str) -> Account | None:
        """Return the account of a subject, or ``None`` if it is gone or disabled."""
        user = await self._manager.get_user_by_id(account_id)
        if user is None or not is_user(user):
            return None

        account = self._account_of(user)
        return None if account.disabled else account
