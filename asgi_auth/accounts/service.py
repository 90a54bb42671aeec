"""The life of an account, as its owner sees it: register, verify, log in, change.

It opens no session and sets no cookie; whoever logs a user in does that. It never
says whether an account exists, nor that one is disabled, before the right password.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any
from uuid import uuid4

from asgi_auth._clock import Clock, system_clock
from asgi_auth.accounts.address import email_words, normalise_email
from asgi_auth.accounts.admin import AccountAdministration
from asgi_auth.accounts.background import Outbox
from asgi_auth.accounts.base import Account, AccountStore, AccountTokens, SendMessage
from asgi_auth.accounts.changes import AccountChanges
from asgi_auth.accounts.email_tokens import EmailPolicy, EmailTokens
from asgi_auth.accounts.errors import (
    DuplicateAccountError,
    InvalidEmailError,
)
from asgi_auth.accounts.postman import Postman
from asgi_auth.errors import ConfigurationError
from asgi_auth.passwords import PasswordHasher, PasswordPolicy

__all__ = ["AccountService"]


class AccountService(AccountAdministration):
    """Everything that users do with their accounts, and what is done to them.

    Args:
        accounts: Keeps the accounts.
        tokens: Signs what goes out by mail, and ends sessions.
        hasher: Hashes passwords.
        policy: Says which new passwords are good enough.
        send_message: Sends mail; it runs after the answer, and may be slow or fail.
        require_verified:
            Log-ins need a verified address, and registering does not reveal whether an
            account exists. Without it, registering has to.
        email_policy: Which addresses are taken, and how long links in messages are
            good.
        outbox: Where messages wait to be sent.
        clock: Returns the present.

    Raises:
        ConfigurationError: Verified addresses are required, and nothing sends mail.
    """

    def __init__(
        self,
        accounts: AccountStore,
        tokens: AccountTokens,
        *,
        hasher: PasswordHasher | None = None,
        policy: PasswordPolicy | None = None,
        send_message: SendMessage | None = None,
        require_verified: bool = True,
        email_policy: EmailPolicy = EmailPolicy(),
        outbox: Outbox | None = None,
        clock: Clock = system_clock,
    ) -> None:
        if require_verified and send_message is None:
            msg = (
                "AccountService cannot verify addresses without mail: give it "
                "send_message=..., or require_verified=False."
            )
            raise ConfigurationError(msg)

        hasher = PasswordHasher() if hasher is None else hasher
        outbox = Outbox() if outbox is None else outbox
        super().__init__(accounts, tokens, hasher, policy or PasswordPolicy(), clock)
        self._require_verified = require_verified
        self._unicode_local = email_policy.unicode_local
        self._email_tokens = EmailTokens(tokens, email_policy)
        self._postman = Postman(accounts, send_message, outbox)
        self._changes = AccountChanges(
            accounts, tokens, hasher, require_verified=require_verified, clock=clock
        )

    @property
    def require_verified(self) -> bool:
        """Whether an account works only once its address is verified."""
        return self._require_verified

    @property
    def can(self) -> frozenset[str]:
        """What is offered beside logging in."""
        mail = {"mail"} if self.sends_mail else set()
        delete = {"delete"} if self.has_directory else set()
        return frozenset({"register", "password", *delete, *mail})

    def is_verified(self, account: Account) -> bool | None:
        """Report whether an account's address is verified; ``None``: nobody knows."""
        return account.verified_at is not None

    @property
    def sends_mail(self) -> bool:
        """Whether anything that needs mail can be asked for."""
        return self._postman.ready

    async def register(
        self,
        email: str,
        password: str,
        *,
        roles: Iterable[str] = (),
        scopes: Iterable[str] = (),
        data: Mapping[str, Any] | None = None,
    ) -> Account | None:
        """Make an account, and ask its owner to verify the address.

        Args:
            email: As the caller sent it.
            password: As the caller sent it.
            roles: Never take them from the caller.
            scopes: Never take them from the caller.
            data: Whatever else the application keeps, as JSON.

        Of an address that was never verified, the last registration counts, and spoils
        the tokens of earlier messages.

        Returns:
            The account; ``None`` where verified addresses are required, whether or not
            there was one before: its owner learns that by mail.

        Raises:
            InvalidEmailError: It is not an address.
            PasswordRefusedError: The password is not good enough.
            DuplicateAccountError:
                The address is taken; only if verified addresses are not required.
        """
        address = self._normalise(email)
        account = await self._make(
            address, password, roles=roles, scopes=scopes, data=data
        )
        try:
            account = await self._accounts.add(account)
        except DuplicateAccountError:
            if not self._require_verified:
                raise

            # Which of the two it is shows where no answer waits for it.
            self._postman.write_about_registration(
                address,
                partial(self._changes.replace_unverified, account),
                for_verification=self._email_tokens.for_verification,
                for_reset=self._email_tokens.for_reset,
            )
            return None

        make_token = self._email_tokens.for_verification
        self._postman.write_to_owner("verify", address, make_token)
        return None if self._require_verified else account

    async def resend_verification(self, email: str) -> None:
        """Send the mail with the verification token again, if there is reason to.

        Raises:
            InvalidEmailError: It is not an address.
            ConfigurationError: Nothing sends mail.
        """
        self._postman.require()
        address = self._normalise(email)
        make_token = self._email_tokens.for_verification
        self._postman.write_to_owner(
            "verify", address, make_token, only_unverified=True
        )

    async def verify_email(self, token: str, password: str) -> Account:
        """Mark an address as verified.

        Args:
            token: From the message; it proves to read mail at the address.
            password: It proves to be who registered, who may have been a stranger.

        Raises:
            InvalidTokenError: The token is not good, or the address or the password is
                another by now.
            InvalidCredentialsError: The password is wrong.
        """
        email_token = await self._email_tokens.read_verification(token)
        await self._changes.prove(email_token, password)
        return await self._changes.verify_email(email_token)

    async def authenticate(self, email: str, password: str) -> Account:
        """Return the account if the password is right.

        An unknown address costs the time of a wrong password. A hash that is out of
        date is replaced.

        Raises:
            InvalidCredentialsError: The address or the password is wrong.
            AccountDisabledError: The password is right, and the account disabled.
            EmailNotVerifiedError: The password is right, and the address unverified.
            UnavailableError: No verdict is possible at the moment.
        """
        try:
            address = self._normalise(email)
        except InvalidEmailError:
            account = None
        else:
            account = await self._accounts.find_by_email(address)

        return await self._changes.confirm(account, password)

    async def confirm_password(self, account_id: str, password: str) -> Account:
        """Check the password of a user who is logged in, before something serious.

        Raises:
            InvalidCredentialsError: The password is wrong.
            AccountDisabledError: The password is right, and the account disabled.
            EmailNotVerifiedError: The password is right, and the address unverified.
        """
        account = await self._accounts.find_by_id(account_id)
        return await self._changes.confirm(account, password)

    async def change_password(
        self, account_id: str, current: str, new: str, *, keep: str | None = None
    ) -> Account:
        """Set a new password, and end the user's other sessions.

        Args:
            account_id: Whose.
            current: The password until now.
            new: The password from now on.
            keep: The ``sid`` of the session that goes on.

        Raises:
            InvalidCredentialsError: *current* is wrong.
            PasswordRefusedError: *new* is not good enough.
            UnavailableError: Sessions cannot be ended at the moment.
        """
        account = await self.confirm_password(account_id, current)
        self._policy.check(new, words=email_words(account.email))
        password_hash = await self._hasher.hash(new)
        changed_account = await self._changes.change_password(
            account, password_hash, keep=keep
        )
        self._postman.write("password_changed", changed_account)
        return changed_account

    async def forgot_password(self, email: str) -> None:
        """Send a token for a new password, if there is such an account.

        Raises:
            InvalidEmailError: It is not an address.
            ConfigurationError: Nothing sends mail.
        """
        self._postman.require()
        address = self._normalise(email)
        self._postman.write_to_owner("reset", address, self._email_tokens.for_reset)

    async def reset_password(self, token: str, new: str) -> Account:
        """Set a new password with a token from the mail, and end all sessions.

        The token is good once, and only until the password or the address changes. It
        proves to read mail at the address, so that is verified too.

        Raises:
            InvalidTokenError: The token is not good, or was used.
            PasswordRefusedError: *new* is not good enough; the token stays good.
        """
        email_token = await self._email_tokens.read_reset(token)
        account = await self._changes.admit(email_token)
        self._policy.check(new, words=email_words(account.email))
        password_hash = await self._hasher.hash(new)
        changed_account = await self._changes.reset_password(email_token, password_hash)
        self._postman.write("password_changed", changed_account)
        return changed_account

    async def change_email(self, account_id: str, password: str, email: str) -> None:
        """Send a token to a new address; until it comes back, the old one counts.

        The answer is the same whether the new address is free or taken.

        Raises:
            InvalidEmailError: It is not an address.
            InvalidCredentialsError: The password is wrong.
            ConfigurationError: Nothing sends mail.
        """
        self._postman.require()
        address = self._normalise(email)
        account = await self.confirm_password(account_id, password)
        self._postman.write_to_new(
            address,
            replace(account, email=address),
            partial(self._email_tokens.for_new_email, account, address),
        )

    async def confirm_email(self, token: str, password: str) -> Account:
        """Change the address with a token from the mail, and write to the old one.

        Args:
            token: From the message.
            password: Of the account. The reader of the mail must be who asked for the
                change: an address must not slip into a stranger's account by a click.

        Raises:
            InvalidCredentialsError: The password is wrong.
            InvalidTokenError:
                The token is not good, or the address or the password has changed.
            DuplicateAccountError: The address was taken in between.
        """
        email_token = await self._email_tokens.read_new_email(token)
        await self._changes.prove(email_token, password)
        before = await self._accounts.find_by_id(email_token.account_id)
        account = await self._changes.change_email(email_token)
        if before is not None:
            self._postman.write("email_changed", before)

        return account

    def _normalise(self, email: str) -> str:
        return normalise_email(email, unicode_local=self._unicode_local)

    async def _make(
        self,
        address: str,
        password: str,
        username: str | None = None,
        *,
        roles: Iterable[str],
        scopes: Iterable[str],
        data: Mapping[str, Any] | None,
    ) -> Account:
        words = (*email_words(address), username or "")
        self._policy.check(password, words=words)
        return Account(
            id=str(uuid4()),
            email=address,
            username=username,
            # Also for a taken address, so that both cost the same.
            password_hash=await self._hasher.hash(password),
            roles=tuple(roles),
            scopes=tuple(scopes),
            created_at=self._clock(),
            data={} if data is None else data,
        )
