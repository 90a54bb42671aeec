"""Open a session for an account that has shown who it is.

Whether it has is not asked here.
"""

from __future__ import annotations

from asgi_auth.accounts import Account
from asgi_auth.errors import InvalidCredentialsError, UnknownSubjectError
from asgi_auth.routes.context import RouteContext
from asgi_auth.stores.records import Device
from asgi_auth.tokens.pair import TokenPair

__all__ = ["open_session"]


async def open_session(
    context: RouteContext,
    account: Account,
    *,
    device: Device,
    amr: tuple[str, ...],
    acr: str | None = None,
    key: str | None = None,
    auth_time: float | None = None,
) -> TokenPair:
    """Issue tokens with the rights of an account.

    Args:
        context: The settings.
        account: As it was when it was looked at.
        device: For the user's list of sessions.
        amr: How the user has shown who it is (RFC 8176).
        acr: The authentication context class of that.
        key: The thumbprint of the key that the tokens are bound to.
        auth_time: When the user has shown it, if that was before.

    Raises:
        InvalidCredentialsError: The password has been changed since.
        UnknownSubjectError: The account is gone or disabled.
    """
    pair = await context.tokens.issue(
        account.id,
        scopes=account.scopes,
        roles=account.roles,
        claims=None if context.claims is None else context.claims(account),
        device=device,
        auth_time=auth_time,
        acr=acr,
        amr=amr,
        thumbprint=key,
    )
    # All sessions may have been ended since the password was looked at.
    present = await context.users.find(account.id)
    if present is None or present.password_hash != account.password_hash:
        await context.tokens.revoke_session(pair.session_id)
        raise InvalidCredentialsError if present else UnknownSubjectError

    return pair
