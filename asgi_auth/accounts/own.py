"""What a manager of an application's own users may have beside its look-ups.

Each protocol is one method and optional: what is not there is not offered.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, TypeVar, runtime_checkable

from asgi_auth.accounts.base import Account

__all__ = ["AddsUsers", "DeletesUsers", "ListsUsers", "SavesUsers"]

Made_co = TypeVar("Made_co", covariant=True)
Given_contra = TypeVar("Given_contra", contravariant=True)


@runtime_checkable
class AddsUsers(Protocol[Made_co]):
    """Keeps new users, so that they can register."""

    async def add_user(self, account: Account) -> Made_co:
        """Add a user, and return it with the id that it has from now on.

        Args:
            account: ``email``, ``username``, ``password_hash``, ``roles`` and
                ``scopes``; ``data`` has the further fields of the registration.

        Raises:
            DuplicateAccountError: The address or the name is taken.
        """
        ...


@runtime_checkable
class SavesUsers(Protocol[Given_contra]):
    """Keeps changes: passwords, addresses, rights."""

    async def save_user(self, user: Given_contra, account: Account) -> None:
        """Write what *account* says into *user*, and keep it.

        Args:
            user: As it was looked up.
            account: As it is to be: ``email``, ``password_hash``, ``verified_at``,
                ``roles``, ``scopes`` and ``disabled`` may have changed.

        Raises:
            DuplicateAccountError: The address is taken.
        """
        ...


@runtime_checkable
class DeletesUsers(Protocol[Given_contra]):
    """Forgets users."""

    async def delete_user(self, user: Given_contra) -> None:
        """Delete a user."""
        ...


@runtime_checkable
class ListsUsers(Protocol[Made_co]):
    """Shows users in pages, for administration."""

    async def list_users(
        self, *, search: str, after: str, limit: int
    ) -> Sequence[Made_co]:
        """Return a page of users, ordered by their ids.

        Args:
            search: What an address or a name must contain; empty: anything.
            after: The id, as text, of the last user of the page before, or empty.
            limit: How many at most.
        """
        ...
