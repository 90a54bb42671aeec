"""Warn the operator of good tokens that do not fit: mostly a setting is off.

It judges no token. Whoever refuses a caller in the end asks for the warning: a token
that another backend takes deserves none.
"""

from __future__ import annotations

from asgi_auth._logs import package_logger
from asgi_auth.errors import InvalidTokenError

__all__ = ["MisfitError", "Misfits"]

_logger = package_logger(__name__)

# Who has keys of ours may still write tokens for as many services as there are.
_MOST_WARNED = 3


class Misfits:
    """Remembers what was warned of: of each kind the first three, once each."""

    __slots__ = ("_warned",)

    def __init__(self) -> None:
        self._warned: dict[str, set[str]] = {}

    def warn(self, error: MisfitError, issuer: str | None) -> None:
        """Write one line, unless that was said before or enough was said.

        Args:
            error: Why the token is refused.
            issuer: Whose it is, where that has a name.
        """
        warned = self._warned.setdefault(error.kind, set())
        if error.fault in warned or len(warned) >= _MOST_WARNED:
            return

        warned.add(error.fault)
        whose = "a token" if issuer is None else f"a token of {issuer}"
        _logger.warning("%s is refused: %s", whose, error)


class MisfitError(InvalidTokenError):
    """The signature of a token is good, and its parties or times do not fit.

    That is a setting or a clock, here or at its issuer, and concerns all of its tokens.

    Args:
        message: For the log: what was expected, and what came.
        kind: The claim that does not fit.
        fault: What makes two such errors the same news; by default the message.
        issuer: Whose token it is.
        misfits: What was warned of; ``None``: nobody is warned.
    """

    def __init__(
        self,
        message: str = "",
        *,
        kind: str = "",
        fault: str = "",
        issuer: str | None = None,
        misfits: Misfits | None = None,
    ) -> None:
        super().__init__(message)
        self.kind: str = kind
        self.fault: str = fault or message
        self._issuer = issuer
        self._misfits = misfits

    def warn(self, issuer: str | None = None) -> None:
        """Have the operator warned, once.

        Args:
            issuer: Whose token it is, where its ``iss`` does not say so.
        """
        if self._misfits is not None:
            self._misfits.warn(self, issuer or self._issuer)
