"""Fit the log-in routes to whose accounts they are about.

Nothing is asked of the accounts here that a request would have to wait for.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from asgi_auth.accounts import Account, AccountService, ManagedAccounts, grants_of
from asgi_auth.errors import ConfigurationError
from asgi_auth.routes.models import NamedRegisterRequest, NameRegisterRequest
from asgi_auth.routes.shape import RouteShape
from asgi_auth.sessions import TokenService

__all__ = ["renew_rights", "shape_of"]


@dataclass(frozen=True, slots=True)
class _Living:
    accounts: AccountService

    async def find_by_id(self, account_id: str) -> Account | None:
        return await self.accounts.find(account_id)


def renew_rights(
    tokens: TokenService,
    accounts: AccountService,
    claims: Callable[[Account], Mapping[str, Any]] | None,
) -> None:
    """Look at rights and at ``disabled`` at each refresh.

    Raises:
        ConfigurationError: Other accounts do so already, with the same tokens.
    """
    loader = grants_of(_Living(accounts), claims=claims)
    tokens.renew_from(loader, lender=accounts)


def shape_of(accounts: AccountService, shape: RouteShape) -> RouteShape:
    """Return the models to use: who logs in by name also registers with one.

    Raises:
        ConfigurationError: Accounts that have addresses cannot be made without one.
    """
    if not (isinstance(accounts, ManagedAccounts) and accounts.has_names):
        _check_address(shape)
        return shape

    if shape.register is not None:
        return shape

    model = NamedRegisterRequest if accounts.has_addresses else NameRegisterRequest
    return replace(shape, register=model)


def _check_address(shape: RouteShape) -> None:
    if shape.register is not None and "email" not in shape.register.model_fields:
        msg = (
            "The model for /register needs email: only a manager that writes "
            "get_user_by_login() has users without."
        )
        raise ConfigurationError(msg)
