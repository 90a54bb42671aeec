"""Renews what a token grants from the account, at each refresh.

A change of roles reaches the user within the life of one access token; an account that
is gone or disabled ends its sessions.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Protocol

from asgi_auth.accounts.base import Account
from asgi_auth.tokens.grant import Grant

__all__ = ["KnowsAccounts", "grants_of"]


class KnowsAccounts(Protocol):
    """An account store, or :class:`~asgi_auth.accounts.managed.ManagedAccounts`."""

    async def find_by_id(self, account_id: str) -> Account | None:
        """Find an account by its id."""
        ...


def grants_of(
    accounts: KnowsAccounts,
    *,
    claims: Callable[[Account], Mapping[str, Any]] | None = None,
) -> Callable[[str], Awaitable[Grant | None]]:
    """Make the ``claims_loader`` of a :class:`~asgi_auth.sessions.TokenService`.

    Args:
        accounts: Keeps the accounts, or manages those of the application.
        claims: Gives further claims for an account.
    """

    async def load(subject: str) -> Grant | None:
        account = await accounts.find_by_id(subject)
        if account is None or account.disabled:
            return None

        extra = {} if claims is None else claims(account)
        return Grant(scopes=account.scopes, roles=account.roles, claims=extra)

    return load
