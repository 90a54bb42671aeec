"""Checks the password of an account, and changes accounts without losing a change.

An unknown account and a wrong password look the same, in the answer and in its time.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import replace

from asgi_auth._clock import Clock
from asgi_auth._logs import package_logger
from asgi_auth.accounts.base import Account, AccountStore, AccountTokens
from asgi_auth.accounts.email_tokens import EmailToken
from asgi_auth.accounts.errors import (
    AccountDisabledError,
    EmailNotVerifiedError,
    StaleAccountError,
    UnknownAccountError,
)
from asgi_auth.errors import (
    InvalidCredentialsError,
    InvalidTokenError,
    UnavailableError,
)
from asgi_auth.passwords import PasswordHasher
from asgi_auth.passwords.match import PasswordMatch

__all__ = ["AccountChanges"]

Matches = Callable[[Account, str], Awaitable[PasswordMatch]]
"""Checks the password of an account, or raises InvalidCredentialsError."""

_logger = package_logger(__name__)

# Each failed try means that another change of the account went through.
_TRIES = 4

_GONE = "the token is about an account that is gone"


class _TakenError(Exception):
    """The account has an owner already."""


class AccountChanges:
    """What all the changes of an account go through.

    Args:
        accounts: Keeps the accounts.
        tokens: Ends sessions.
        hasher: Checks passwords, and does the work for unknown accounts.
        matches: Checks the passwords of accounts in another way.
        require_verified: Only accounts with a verified address pass.
        clock: Returns the present.
    """

    def __init__(
        self,
        accounts: AccountStore,
        tokens: AccountTokens,
        hasher: PasswordHasher,
        *,
        matches: Matches | None = None,
        require_verified: bool,
        clock: Clock,
    ) -> None:
        self._accounts = accounts
        self._tokens = tokens
        self._hasher = hasher
        self._matches = self._matches_hash if matches is None else matches
        self._require_verified = require_verified
        self.claims: list[Callable[[str], Awaitable[object]]] = []
        self._clock = clock

    async def confirm(self, account: Account | None, password: str) -> Account:
        """Return the account if the password is right and it may log in.

        Raises:
            InvalidCredentialsError: There is no such account, or it has another one.
            AccountDisabledError: The password is right, and the account disabled.
            EmailNotVerifiedError: The password is right, and the address unverified.
        """
        if account is None:
            await self._hasher.verify_dummy(password)
            msg = "there is no such account"
            raise InvalidCredentialsError(msg)

        match = await self._matches(account, password)
        if account.disabled:
            raise AccountDisabledError

        if self._require_verified and account.verified_at is None:
            raise EmailNotVerifiedError

        if match.replacement is None:
            return account

        return await self._upgrade(account, match.replacement)

    async def admit(self, email_token: EmailToken) -> Account:
        """Return the account of a ticket, if the ticket still fits it.

        Raises:
            InvalidTokenError: It does not, or the account is gone.
        """
        account = await self._accounts.find_by_id(email_token.account_id)
        if account is None:
            raise InvalidTokenError(_GONE)

        email_token.admit(account)
        return account

    async def prove(self, email_token: EmailToken, password: str) -> None:
        """Check that who brings a token knows the password of its account too.

        Raises:
            InvalidTokenError: The token does not fit the account any more.
            InvalidCredentialsError: The password is wrong.
        """
        account = await self.admit(email_token)
        await self._matches(account, password)

    async def replace_unverified(self, registered: Account) -> Account | None:
        """Make an unverified account what was registered for its address last.

        Args:
            registered: The new registration, under an id that is not used.

        Returns:
            The account, or ``None`` where it is verified, disabled or gone.
        """
        present = await self._accounts.find_by_email(registered.email)
        if present is None:
            return None

        def edit(account: Account) -> Account:
            if account.verified_at is not None or account.disabled:
                raise _TakenError

            return replace(
                registered,
                id=account.id,
                created_at=account.created_at,
                version=account.version,
            )

        with suppress(_TakenError, UnknownAccountError):
            return await self.apply(present.id, edit)

        return None

    async def verify_email(self, email_token: EmailToken) -> Account:
        """Mark the address as verified that a ticket is about.

        Raises:
            InvalidTokenError: The account has another address by now.
        """

        def edit(account: Account) -> Account:
            if account.email != email_token.email:
                msg = "the token is about another address"
                raise InvalidTokenError(msg)

            return replace(account, verified_at=self._verified_at(account))

        return await self._redeem(email_token, edit)

    async def change_email(self, email_token: EmailToken) -> Account:
        """Give an account the address that a ticket is about.

        Raises:
            InvalidTokenError: The ticket does not fit the account any more.
            DuplicateAccountError: The address is taken.
        """

        def edit(account: Account) -> Account:
            return replace(account, email=email_token.email, verified_at=self._clock())

        return await self._redeem(email_token, edit)

    async def change_password(
        self, account: Account, password_hash: str, *, keep: str | None
    ) -> Account:
        """Set a new password, and end the sessions but for one.

        Raises:
            StaleAccountError: The password was changed in between.
            UnavailableError: Sessions cannot be ended at the moment.
        """

        def edit(present: Account) -> Account:
            if present.password_hash != account.password_hash:
                raise StaleAccountError

            return replace(present, password_hash=password_hash)

        async with self.sessions_ended(account.id, keep=keep):
            return await self.apply(account.id, edit)

    async def reset_password(
        self, email_token: EmailToken, password_hash: str
    ) -> Account:
        """Set the password that a ticket allows, and end all sessions.

        Raises:
            InvalidTokenError: The ticket does not fit the account any more.
            UnavailableError: Sessions cannot be ended at the moment.
        """

        def edit(account: Account) -> Account:
            # Whoever has the token reads mail at the address.
            verified_at = self._verified_at(account)
            return replace(
                account, password_hash=password_hash, verified_at=verified_at
            )

        before = await self.admit(email_token)
        if before.verified_at is None and before.user is None:
            # Where it fails, nothing has changed, and the ticket is good.
            await self._end_claims(before.id)

        async with self.sessions_ended(email_token.account_id):
            account = await self._redeem(email_token, edit)

        # Not where an application does not keep which addresses are verified: there
        # each new password would be the first.
        if before.verified_at is None and account.verified_at is not None:
            await self._end_claims(account.id)

        return account

    async def _end_claims(self, account_id: str) -> None:
        """End what lets in whoever registered the address without reading its mail."""
        for ending in self.claims:
            await ending(account_id)

    @asynccontextmanager
    async def sessions_ended(
        self, account_id: str, *, keep: str | None = None
    ) -> AsyncGenerator[None]:
        """End the sessions of an account around a change of it, but for one.

        Raises:
            UnavailableError: Sessions cannot be ended at the moment.
        """
        # Before, so that nothing is changed when it fails; and after, for the sessions
        # that were opened with the old password in between.
        await self._tokens.revoke_subject(account_id, keep=keep)
        yield
        await self._tokens.revoke_subject(account_id, keep=keep)

    async def _redeem(
        self, email_token: EmailToken, edit: Callable[[Account], Account]
    ) -> Account:
        def admitted(account: Account) -> Account:
            email_token.admit(account)
            return edit(account)

        try:
            return await self.apply(email_token.account_id, admitted)
        except UnknownAccountError:
            raise InvalidTokenError(_GONE) from None

    async def apply(
        self, account_id: str, edit: Callable[[Account], Account]
    ) -> Account:
        """Apply an edit to the account as it is now, and again if it has moved on.

        Raises:
            UnknownAccountError: There is no such account.
            StaleAccountError: Others were always faster.
        """
        for _ in range(_TRIES):
            account = await self._accounts.find_by_id(account_id)
            if account is None:
                raise UnknownAccountError

            edited = edit(account)
            with suppress(StaleAccountError):
                return await self._accounts.update(edited)

        raise StaleAccountError

    def _verified_at(self, account: Account) -> float:
        return self._clock() if account.verified_at is None else account.verified_at

    async def _matches_hash(self, account: Account, password: str) -> PasswordMatch:
        return await self._hasher.verify(password, account.password_hash)

    async def _upgrade(self, account: Account, password_hash: str) -> Account:
        try:
            return await self._accounts.update(
                replace(account, password_hash=password_hash)
            )
        except (StaleAccountError, UnavailableError) as error:
            # The next log-in tries again: a right password is not refused for this.
            name = type(error).__name__
            _logger.warning("a password hash could not be replaced (%s)", name)
            return account
