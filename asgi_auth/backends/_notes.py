"""Log for the operator why tokens of an issuer are refused; the caller learns less.

It names no token: only what a good signature vouches for, and what the settings say.
"""

from __future__ import annotations

from types import TracebackType

from asgi_auth._logs import package_logger
from asgi_auth.errors import InvalidTokenError
from asgi_auth.tokens.claims import AUDIENCE_FAULT

__all__ = ["RefusalNotes"]

_logger = package_logger(__name__)


class RefusalNotes:
    """Warns of the first token for another audience: it is nearly always a setting.

    Each refusal has its own line elsewhere, at DEBUG.

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
        if self._warned or not isinstance(error, InvalidTokenError):
            return

        if str(error).startswith(AUDIENCE_FAULT):
            self._warned = True
            _logger.warning("a token of %s is refused: %s", self._issuer, error)
