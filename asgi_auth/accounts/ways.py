"""Which ways to log in an account has, so that nobody takes the last one away.

Each kind of log-in answers for itself; the password is asked about here. It removes
nothing by itself.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from typing import Protocol

from asgi_auth.accounts.base import Account
from asgi_auth.accounts.errors import LastWayInError

__all__ = ["WaysIn", "count_ways_in", "remove_way_in"]


class WaysIn(Protocol):
    """Knows the ways to log in of one kind, such as passkeys or linked identities."""

    async def ways_in(self, account_id: str) -> int:
        """Return how many an account has.

        Raises:
            UnavailableError: The store is down.
        """
        ...


async def count_ways_in(account: Account, kinds: Iterable[WaysIn]) -> int:
    """Return how many ways to log in an account has, the password included.

    Args:
        account: Whose; with users of an application's own, its manager checks
            passwords, and whoever has such an account is taken to have one.
        kinds: All the others that there are.

    Raises:
        UnavailableError: A store is down.
    """
    has_password = account.password_hash is not None or account.user is not None
    return int(has_password) + sum([await kind.ways_in(account.id) for kind in kinds])


async def remove_way_in(
    account: Account,
    kinds: Iterable[WaysIn],
    *,
    remove: Callable[[], Awaitable[object]],
    restore: Callable[[], Awaitable[object]],
) -> None:
    """Remove a way to log in, unless it is the last one.

    Two that are removed at once, in whatever stores, do not both go: who finds that
    nothing is left puts back what it removed.

    Args:
        account: Whose.
        kinds: All kinds of log-in beside the password.
        remove: Removes it.
        restore: Puts it back.

    Raises:
        LastWayInError: It is the last one, and still there.
        UnavailableError: A store is down.
    """
    kinds = tuple(kinds)
    if await count_ways_in(account, kinds) <= 1:
        raise LastWayInError

    await remove()
    if await count_ways_in(account, kinds) == 0:
        await restore()
        raise LastWayInError
