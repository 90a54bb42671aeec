"""Keeps accounts where an application keeps its users, by what its manager can do.

It asks no question of its own about who may log in.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from hashlib import sha256
from typing import Any, Generic, TypeVar

from asgi_auth._encoding import compact_json
from asgi_auth.accounts.base import Account
from asgi_auth.accounts.errors import StaleAccountError
from asgi_auth.accounts.manager import AuthManager
from asgi_auth.accounts.own import AddsUsers, DeletesUsers, ListsUsers, SavesUsers
from asgi_auth.errors import ConfigurationError
from asgi_auth.principal import is_user

__all__ = ["ManagedStore"]

User = TypeVar("User")


class ManagedStore(Generic[User]):
    """The users of an :class:`AuthManager`, as an account store.

    Args:
        manager: Finds, adds, saves and deletes users.
    """

    def __init__(self, manager: AuthManager[User]) -> None:
        self._manager = manager

    def account_of(self, user: User) -> Account:
        """Return a user as an account, with its hash and with a version.

        Raises:
            ConfigurationError: The manager says something else.
        """
        account: object = self._manager.account_of(user)
        if not isinstance(account, Account):
            kind = type(account).__name__
            msg = f"account_of() must return an Account, and not a {kind}."
            raise ConfigurationError(msg)

        if account.password_hash is None and isinstance(self._manager, SavesUsers):
            # Tokens for a new password are bound to the one until now.
            account = replace(account, password_hash=self._manager.stored_hash(user))

        if not self._manager.has_names:
            # It is shown in places, but no user is looked up by it.
            account = replace(account, username=None)

        return replace(account, user=user, version=_version_of(account))

    async def find_by_email(self, email: str) -> Account | None:
        """Find an account by its address."""
        user = await self._manager.get_user_by_email(email)
        return None if user is None or not is_user(user) else self.account_of(user)

    async def find_by_id(self, account_id: str) -> Account | None:
        """Find an account by its id."""
        user = await self._manager.get_user_by_subject(account_id)
        return None if user is None else self.account_of(user)

    async def add(self, account: Account) -> Account:
        """Add an account; the manager may give it another id.

        Raises:
            DuplicateAccountError: The address or the name is taken.
            ConfigurationError: The manager adds no users.
        """
        if not isinstance(self._manager, AddsUsers):
            raise self._lacks(AddsUsers)

        return self.account_of(await self._manager.add_user(account))

    async def update(self, account: Account) -> Account:
        """Save what has changed in an account.

        Raises:
            StaleAccountError: The user was changed since it was read, or is gone.
            DuplicateAccountError: The new address is taken.
            ConfigurationError: The manager saves no users.
        """
        if not isinstance(self._manager, SavesUsers):
            raise self._lacks(SavesUsers)

        user = await self._manager.get_user_by_subject(account.id)
        if user is None or self.account_of(user).version != account.version:
            raise StaleAccountError

        await self._manager.save_user(user, account)
        return await self.find_by_id(account.id) or account

    async def page(self, *, search: str, after: str, limit: int) -> Sequence[Account]:
        """Return a page of accounts, ordered by their ids.

        Raises:
            ConfigurationError: The manager lists no users.
        """
        if not isinstance(self._manager, ListsUsers):
            raise self._lacks(ListsUsers)

        users = await self._manager.list_users(search=search, after=after, limit=limit)
        return [self.account_of(user) for user in users]

    async def remove(self, account_id: str) -> None:
        """Delete a user, if it is there.

        Raises:
            ConfigurationError: The manager deletes no users.
        """
        if not isinstance(self._manager, DeletesUsers):
            raise self._lacks(DeletesUsers)

        user: Any = await self._manager.get_user_by_subject(account_id)
        if user is not None:
            await self._manager.delete_user(user)

    def _lacks(self, protocol: type) -> ConfigurationError:
        manager, name = type(self._manager).__name__, protocol.__name__
        msg = f"{manager} cannot do this: write what {name} says."
        return ConfigurationError(msg)


def _version_of(account: Account) -> int:
    """Return a number that is another one after every change."""
    state = compact_json(
        [
            account.email,
            account.username,
            account.password_hash,
            account.roles,
            account.scopes,
            account.disabled,
            account.verified_at,
        ]
    )
    return int.from_bytes(sha256(state).digest()[:7])
