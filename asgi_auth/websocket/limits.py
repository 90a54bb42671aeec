"""How much a client may send: bytes a message, and messages a second.

It counts; what happens to who sends more is for the connection to say.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from asgi_auth._bucket import TokenBucket
from asgi_auth.errors import ConfigurationError

__all__ = ["Limits"]


class Limits:
    """Counts what one client sends.

    Args:
        max_size: Greatest size of a message, in bytes.
        max_rate: Messages a second, on average; twice as many may come at once.
            ``None``: any number.
        clock: Returns seconds that only go forward.

    Raises:
        ConfigurationError: A limit lets nothing pass.
    """

    __slots__ = ("_bucket", "_max_size")

    def __init__(
        self,
        max_size: int,
        max_rate: float | None,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        if max_size < 1 or (max_rate is not None and max_rate <= 0):
            msg = "max_message_size and max_rate must be more than 0."
            raise ConfigurationError(msg)

        self._max_size = max_size
        self._bucket: TokenBucket | None = None
        if max_rate is not None:
            # Even the lowest rate lets one message pass.
            burst = max(2 * max_rate, 1.0)
            self._bucket = TokenBucket(burst, 1 / max_rate, clock=clock)

    def too_big(self, content: str | bytes) -> bool:
        """Say whether *content* is more than a message may be, as UTF-8."""
        length = len(content)
        if length > self._max_size:
            return True

        # A character has at most four bytes: most texts need not be written out.
        if isinstance(content, bytes) or 4 * length <= self._max_size:
            return False

        return len(content.encode("utf-8", "replace")) > self._max_size

    def too_fast(self) -> bool:
        """Count one message, and say whether it came too soon."""
        return self._bucket is not None and not self._bucket.take()
