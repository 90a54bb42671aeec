"""Have the operator warned why tokens of an issuer are refused; the caller learns less.

It names no token: only what a good signature vouches for, and what the settings say.
"""

from __future__ import annotations

from types import TracebackType

from asgi_auth._misfit import MisfitError

__all__ = ["RefusalNotes"]


class RefusalNotes:
    """Warns of tokens that do not fit, also where no middleware refuses the caller.

    Each refusal has its own line elsewhere, at DEBUG.

    Args:
        issuer: Whose tokens these are.
    """

    __slots__ = ("_issuer",)

    def __init__(self, issuer: str) -> None:
        self._issuer = issuer

    def __enter__(self) -> None:
        """Begin; there is nothing to do."""

    def __exit__(
        self,
        _: type[BaseException] | None,
        error: BaseException | None,
        __: TracebackType | None,
    ) -> None:
        """Have it written what does not fit, and let the error go on."""
        if isinstance(error, MisfitError):
            error.warn(self._issuer)
