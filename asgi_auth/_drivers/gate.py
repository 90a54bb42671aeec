"""A bounded queue before a pool of connections.

Under load, what cannot be served soon is refused at once: who waits longer than their
client does makes useless work, and a queue of such work never empties again.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict

from asgi_auth._logs import package_logger
from asgi_auth.errors import UnavailableError

__all__ = ["Gate"]

_logger = package_logger(__name__)

# At a thousand answers a second the last in the queue waits for a quarter of one.
_WAITING = 256
_PATIENCE = 1.5
_QUIET = 60.0


class Gate:
    """Lets so many in at a time, in the order in which they come. Needs asyncio.

    Up to 256 wait, each for at most a second and a half.

    Args:
        places: How many are in at a time.
        what: They wait for, in the sentence of the error.
    """

    __slots__ = ("_free", "_queue", "_told_at", "_what")

    def __init__(self, places: int, what: str) -> None:
        self._free = places
        self._queue: OrderedDict[asyncio.Future[None], None] = OrderedDict()
        self._what = what
        self._told_at = float("-inf")

    async def enter(self, *, urgent: bool = False) -> None:
        """Take a place, which must be given back with :meth:`leave`.

        Args:
            urgent: Go first, and wait however many there are: for the one reader on
                which all verdicts depend.

        Raises:
            UnavailableError: Too many wait, or it took too long.
        """
        if self._free > 0:
            self._free -= 1
            return

        if len(self._queue) >= _WAITING and not urgent:
            raise self._refusal()

        ticket = asyncio.get_running_loop().create_future()
        self._queue[ticket] = None
        if urgent:
            self._queue.move_to_end(ticket, last=False)

        try:
            async with asyncio.timeout(_PATIENCE):
                await ticket
        except BaseException as error:
            # Its turn may have come at the very moment.
            if self._queue.pop(ticket, self) is self:
                self.leave()

            if isinstance(error, TimeoutError):
                raise self._refusal() from None

            raise

    def leave(self) -> None:
        """Give a place back, to the first who waits for it."""
        if self._queue:
            ticket, _ = self._queue.popitem(last=False)
            # One that was cancelled has not run yet: it gives the place back itself.
            if not ticket.done():
                ticket.set_result(None)
        else:
            self._free += 1

    def _refusal(self) -> UnavailableError:
        msg = f"too many wait for {self._what}"
        now = asyncio.get_running_loop().time()
        if now - self._told_at > _QUIET:
            self._told_at = now
            _logger.warning("%s: what comes now is refused (503)", msg)

        return UnavailableError(msg, retry_after=1)
