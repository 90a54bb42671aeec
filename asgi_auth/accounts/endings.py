"""What ends with an account beside its sessions: keys, factors, rows of an application.

When an account ends is for others to say.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from asgi_auth._logs import package_logger

__all__ = ["Ending", "Endings"]

_logger = package_logger(__name__)

Ending = Callable[[str], Awaitable[object]]
"""Ends what a user has, by the subject."""


class Endings:
    """Each is called with the id of an account, and must not mind to be repeated."""

    __slots__ = ("_also", "_deleted_only")

    def __init__(self) -> None:
        self._also: list[Ending] = []
        self._deleted_only: list[Ending] = []

    def add(self, ending: Ending, *, deleted_only: bool) -> None:
        """Take one in.

        Args:
            ending: Ends what a user has.
            deleted_only: It is not called before the account is gone.
        """
        (self._deleted_only if deleted_only else self._also).append(ending)

    async def end(self, account_id: str) -> None:
        """End what an account may not have while it is disabled; stop at a failure.

        Raises:
            UnavailableError: A store is down.
        """
        for ending in self._also:
            await ending(account_id)

    async def end_rest(self, account_id: str) -> None:
        """End all that an account had that is gone, as far as it goes.

        Raises:
            UnavailableError: A store is down: repeat it.
            Exception: What one of an application's own has raised first.
        """
        faults: list[Exception] = []
        for ending in [*self._also, *self._deleted_only]:
            try:
                await ending(account_id)
            except Exception as error:  # noqa: BLE001  (the others have to go on)
                faults.append(error)

        if faults:
            _logger.error(
                "the account %r is deleted, but not all that it had: repeat delete()",
                account_id,
            )
            raise faults[0]
