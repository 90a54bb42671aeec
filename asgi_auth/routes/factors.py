"""What an application says about a second factor: values and a callable's shape.

Codes are neither made nor checked here; the application does that.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from asgi_auth.accounts import Account

__all__ = ["Factor", "SecondFactor"]


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
