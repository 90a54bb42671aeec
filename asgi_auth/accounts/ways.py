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


async def count_ways_in(
    account: Account, kinds: Iterable[WaysIn], *, has_password: bool = False
) -> int:
    """Return how many ways to log in an account has, the password included.

    Args:
        account: Whose.
        kinds: All the others that there are.
        has_password: It has one also where it shows none: an application's own
            manager may check passwords without showing what it keeps of them.

    Raises:
        UnavailableError: A store is down.
    """
    has_password = has_password or account.password_hash is not None
    return int(has_password) + sum([await kind.ways_in(account.id) for kind in kinds])


async def remove_way_in(
    account: Account,
    kinds: Iterable[WaysIn],
    *,
    remove: Callable[[], Awaitable[object]],
    restore: Callable[[], Awaitable[object]],
    has_password: bool = False,
) -> None:
    """Remove a way to log in, unless it is the last one.

    Two that are removed at once, in whatever stores, do not both go: who finds that
    nothing is left puts back what it removed.

    Args:
        account: Whose.
        kinds: All kinds of log-in beside the password.
        remove: Removes it.
        restore: Puts it back.
        has_password: As for :func:`count_ways_in`.

    Raises:
        LastWayInError: It is the last one, and still there.
        UnavailableError: A store is down.
    """
    kinds = tuple(kinds)
    if await count_ways_in(account, kinds, has_password=has_password) <= 1:
        raise LastWayInError

    await remove()
    if await count_ways_in(account, kinds, has_password=has_password) == 0:
        await restore()
        raise LastWayInError
