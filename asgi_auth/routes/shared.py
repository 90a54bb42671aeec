"""Do a thing once for all requests that need it at the same time."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Hashable
from threading import get_ident
from typing import Generic, TypeVar

from anyio import CancelScope, Event

__all__ = ["Shared"]

T = TypeVar("T")


class _Work(Generic[T]):
    __slots__ = ("error", "event", "is_done", "result")

    def __init__(self) -> None:
        self.event = Event()
        self.is_done = False
        self.result: T | None = None
        self.error: Exception | None = None


class Shared(Generic[T]):
    """What is under way, by key; there is never more of it than there are requests."""

    __slots__ = ("_works",)

    def __init__(self) -> None:
        self._works: dict[Hashable, _Work[T]] = {}

    async def once(self, key: Hashable, make: Callable[[], Awaitable[T]]) -> T:
        """Return what *make* returns, or raise what it raises, for all of one key.

        Args:
            key: What is made.
            make: Makes it; a client that leaves does not stop it.
        """
        # Each event loop has a thread of its own.
        place = get_ident(), key
        while (work := self._works.get(place)) is not None:
            await work.event.wait()
            if work.is_done:
                break

            # Servers cancel tasks of clients that have gone, which no shield stops:
            # of those that wait, one makes it.
        else:
            work = self._works[place] = _Work()
            await self._do(place, work, make)

        if work.error is not None:
            raise work.error

        return work.result  # type: ignore[return-value]

    async def _do(
        self, place: Hashable, work: _Work[T], make: Callable[[], Awaitable[T]]
    ) -> None:
        with CancelScope(shield=True):
            try:
                work.result = await make()
                work.is_done = True
            except Exception as error:  # noqa: BLE001  (all who wait raise it)
                work.error = error
                work.is_done = True
            finally:
                self._works.pop(place, None)
                work.event.set()
