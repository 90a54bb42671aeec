"""Tell the operator why tokens of an issuer are refused; the caller learns less.

It names no token: only what a good signature vouches for, and what the settings say.
"""

from __future__ import annotations

import logging
from types import TracebackType

from asgi_auth.errors import InvalidTokenError
from asgi_auth.tokens.claims import AUDIENCE_FAULT

__all__ = ["RefusalNotes"]

_logger = logging.getLogger("asgi_auth.backends")


class RefusalNotes:
    """Writes a line for each refusal within its ``with`` block, at DEBUG.

    The first token for another audience is a warning: it is nearly always a setting.

    Args:
        issuer: Whose tokens these are.
    """

    __slots__ = ("_issuer", "_warned")

    def __init__(self, issuer: str) -> None:
        self._issuer = issuer
        self._warned = False

    def __enter__(self) -> None:
        """Begin; there is nothing to do."""

    def __exit__(
        self,
        _: type[BaseException] | None,
        error: BaseException | None,
        __: TracebackType | None,
    ) -> None:
        """Write what has gone wrong, and let it go on."""
        if not isinstance(error, InvalidTokenError):
            return

        level = logging.DEBUG
        if str(error).startswith(AUDIENCE_FAULT) and not self._warned:
            self._warned, level = True, logging.WARNING

        _logger.log(level, "a token of %s is refused: %s", self._issuer, error)

    def slash(self, named: str) -> None:
        """Warn once that tokens name the issuer with another slash at the end."""
        if not self._warned:
            self._warned = True
            _logger.warning(
                "tokens name the issuer %r, and it is configured as %r: "
                "they differ by a slash at the end",
                named[:200],
                self._issuer,
            )
