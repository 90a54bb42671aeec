"""What the log-in routes ask about those who may log in. Nothing here does anything."""

from __future__ import annotations

from typing import Protocol

from asgi_auth.accounts import Account

__all__ = ["Users"]


class Users(Protocol):
    """Those who may log in."""

    @property
    def can(self) -> frozenset[str]:
        """What is offered beside logging in."""
        ...

    async def authenticate(self, email: str, password: str) -> Account:
        """Return the account if the password is right."""
        ...

    async def confirm_password(self, account_id: str, password: str) -> Account:
        """Check the password of a user who is logged in."""
        ...

    async def find(self, account_id: str) -> Account | None:
        """Return the account of a subject, or ``None`` if it is gone or disabled."""
        ...

    def is_verified(self, account: Account) -> bool | None:
        """Report whether an account's address is verified; ``None``: nobody knows."""
        ...
