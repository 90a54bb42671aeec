"""What is said about second factors: values, and the shapes of what knows them.

Codes are neither made nor checked here.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from asgi_auth.accounts import Account

__all__ = ["Factor", "SecondFactor", "SecondFactors"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Factor:
    """A second factor that a user has shown.

    Attributes:
        acr: Authentication context class of the log-in, for instance ``mfa``.
        amr: Methods beside the password (RFC 8176), for instance ``("otp",)``.
    """

    acr: str | None = None
    amr: tuple[str, ...] = ()


SecondFactor = Callable[[Account, str | None], Awaitable[Factor | None]]
"""Checks the ``code`` of a log-in, after the right password.

It returns what was shown, or ``None`` for a user who needs nothing more. It raises
:class:`SecondFactorRequiredError` where a code is needed and none came, and
:class:`~asgi_auth.errors.InvalidCredentialsError` for a wrong one.
"""


class SecondFactors(Protocol):
    """Knows second factors of one kind: whoever has one must show one to log in."""

    async def methods(self, account_id: str) -> Mapping[str, float]:
        """Return the methods that an account has, and since when each.

        A browser that is spared its second factor is asked again when these change.

        Raises:
            UnavailableError: The store is down.
        """
        ...
