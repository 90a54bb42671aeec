"""Lets the log-in routes work with users that an application keeps by itself.

What its manager can do is offered, and nothing else; passwords are checked by it alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Generic, TypeVar

from asgi_auth._clock import Clock, system_clock
from asgi_auth.accounts.background import Outbox
from asgi_auth.accounts.base import Account, AccountTokens, SendMessage
from asgi_auth.accounts.changes import AccountChanges
from asgi_auth.accounts.email_tokens import EmailPolicy
from asgi_auth.accounts.errors import (
    AccountDisabledError,
    DuplicateAccountError,
    EmailNotVerifiedError,
    InvalidUsernameError,
)
from asgi_auth.accounts.managed_store import ManagedStore
from asgi_auth.accounts.manager import AuthManager
from asgi_auth.accounts.own import AddsUsers, DeletesUsers, SavesUsers
from asgi_auth.accounts.service import AccountService
from asgi_auth.accounts.users import attribute_of, is_username
from asgi_auth.errors import ConfigurationError, InvalidCredentialsError
from asgi_auth.passwords import PasswordPolicy
from asgi_auth.passwords.match import PasswordMatch
from asgi_auth.principal import is_user

__all__ = ["ManagedAccounts"]

User = TypeVar("User")


class ManagedAccounts(AccountService, Generic[User]):
    """The users of an :class:`AuthManager`, as accounts.

    Args:
        manager: Finds users and checks passwords. What else it can do, by
            :class:`AddsUsers`, :class:`SavesUsers`, :class:`DeletesUsers` and
            :class:`ListsUsers`, is offered too.
        tokens: Signs what goes out by mail, and ends sessions; not needed where
            users only log in.
        policy: Says which new passwords are good enough.
        send_message: Sends mail; without it, nothing that needs it is offered.
        require_verified: Log-ins need a verified address.
        email_policy: Which addresses are taken, and how long links in messages are
            good.
        outbox: Where messages wait to be sent.
        clock: Returns the present.

    Raises:
        ConfigurationError: There are no *tokens* to do what the manager can do.
    """

    def __init__(
        self,
        manager: AuthManager[User],
        *,
        tokens: AccountTokens | None = None,
        policy: PasswordPolicy | None = None,
        send_message: SendMessage | None = None,
        require_verified: bool = False,
        email_policy: EmailPolicy = EmailPolicy(),
        outbox: Outbox | None = None,
        clock: Clock = system_clock,
    ) -> None:
        changes = isinstance(manager, AddsUsers | SavesUsers | DeletesUsers)
        if tokens is None and (changes or send_message is not None):
            msg = f"{type(manager).__name__} changes users: give tokens=... too."
            raise ConfigurationError(msg)

        store = ManagedStore(manager)
        # Who has none only logs users in, which needs none.
        signer: Any = tokens
        super().__init__(
            store,
            signer,
            hasher=manager.hasher,
            policy=policy,
            send_message=send_message,
            require_verified=require_verified,
            email_policy=email_policy,
            outbox=outbox,
            clock=clock,
        )
        self._manager = manager
        self._store = store
        self._changes = AccountChanges(
            store,
            signer,
            manager.hasher,
            matches=self._matches,
            require_verified=require_verified,
            clock=clock,
        )

    @property
    def can(self) -> frozenset[str]:
        """What is offered beside logging in."""
        manager = self._manager
        mail = self.sends_mail and manager.has_addresses
        saves = isinstance(manager, SavesUsers)
        offered = {
            "register": isinstance(manager, AddsUsers) and (saves or not mail),
            "password": saves,
            "mail": saves and mail,
            "delete": isinstance(manager, DeletesUsers),
        }
        return frozenset(name for name, is_there in offered.items() if is_there)

    def is_verified(self, account: Account) -> bool | None:
        """Report whether a user's address is verified; ``None``: nothing keeps it."""
        is_verified = account.verified_at is not None
        is_kept = is_verified or self._manager.knows_verified(account.user)
        return is_verified if is_kept else None

    @property
    def has_names(self) -> bool:
        """Whether users log in with something else than their address."""
        return self._manager.has_names

    @property
    def has_addresses(self) -> bool:
        """Whether users are found by their address."""
        return self._manager.has_addresses

    async def register(
        self,
        email: str,
        password: str,
        *,
        username: str | None = None,
        roles: Iterable[str] = (),
        scopes: Iterable[str] = (),
        data: Mapping[str, Any] | None = None,
    ) -> Account | None:
        """Add a user; see :meth:`AccountService.register`.

        Args:
            email: As the caller sent it; may be empty where there is a *username*.
            password: As the caller sent it.
            username: The name to log in with, if it is not the address.
            roles: Never take them from the caller.
            scopes: Never take them from the caller.
            data: The further fields of the registration.

        Raises:
            InvalidEmailError: It is not an address.
            InvalidUsernameError: It is no name.
            PasswordRefusedError: The password is not good enough.
            DuplicateAccountError: The name is taken; or the address, only if verified
                addresses are not required.
        """
        if username is None:
            return await super().register(
                email, password, roles=roles, scopes=scopes, data=data
            )

        if not is_username(username):
            raise InvalidUsernameError

        address = self._normalise(email) if email else ""
        user = await self._make(
            address, password, username, roles=roles, scopes=scopes, data=data
        )
        try:
            account = await self._accounts.add(user)
        except DuplicateAccountError:
            # Names are seen by everybody; whose an address is, by its owner only.
            if not (self.require_verified and await self._is_address_taken(user)):
                raise

            make_token = self._email_tokens.for_reset
            self._postman.write_to_owner("exists", address, make_token)
            return None

        if address:
            make_token = self._email_tokens.for_verification
            self._postman.write_to_owner("verify", address, make_token)

        return None if self.require_verified else account

    async def authenticate(self, email: str, password: str) -> Account:
        """Return the account if the password is right.

        Args:
            email: What the user logs in with: an address or a name.
            password: As the caller sent it.

        Raises:
            InvalidCredentialsError: The name or the password is wrong.
            AccountDisabledError: The password is right, and the account disabled.
            EmailNotVerifiedError: The password is right, and the address unverified.
        """
        user = await self._manager.authenticate(email, password)
        if user is None:
            raise InvalidCredentialsError

        account = self._store.account_of(user)
        await self._check_id(user, account)
        if account.disabled:
            raise AccountDisabledError

        if self.require_verified and account.verified_at is None:
            raise EmailNotVerifiedError

        return account

    async def confirm_password(self, account_id: str, password: str) -> Account:
        """Check the password of a user who is logged in, before something serious.

        Raises:
            InvalidCredentialsError: The password is wrong, or the user is gone.
            AccountDisabledError: The password is right, and the account disabled.
        """
        account = await self._store.find_by_id(account_id)
        if account is None:
            raise InvalidCredentialsError
        confirmed = await self.authenticate(_login_of(account), password)
        if confirmed.id != account.id:
            # The name has gone to somebody else by now.
            raise InvalidCredentialsError
        return confirmed

    async def find_by_id(self, account_id: str) -> Account | None:
        """Return the account of a subject, so that ``grants_of`` renews its rights."""
        return await self.find(account_id)

    async def _find_by_name(self, name: str) -> Account | None:
        user = await self._manager.get_user_by_login(name)
        return (
            None if user is None or not is_user(user) else self._store.account_of(user)
        )

    async def _is_address_taken(self, made: Account) -> bool:
        """Report whether an address is taken, and the name beside it is not."""
        name, address = made.username or "", made.email
        if not address or await self._find_by_name(name) is not None:
            return False
        return await self._accounts.find_by_email(address) is not None

    async def _check_id(self, user: Any, account: Account) -> None:
        """Refuse aloud what would be a 401 whenever the user comes back.

        Raises:
            ConfigurationError: Users are not found by what their tokens say.
        """
        number = attribute_of(user, "id")
        if isinstance(number, str) or self._manager.id_type is not str:
            return

        if await self._manager.get_user_by_subject(account.id) is None:
            manager, kind = type(self._manager).__name__, type(number).__name__
            msg = (
                f"get_user_by_id() finds nobody with the id {account.id!r}, who has "
                f"just logged in: say in {manager} of which type ids are, for instance "
                f"id_type = {kind}."
            )
            raise ConfigurationError(msg)

    async def _matches(self, account: Account, password: str) -> PasswordMatch:
        if not await self._manager.verify_password(_login_of(account), password):
            raise InvalidCredentialsError

        return PasswordMatch()


def _login_of(account: Account) -> str:
    login = account.username or account.email
    if login:
        return login

    msg = "The account has neither username nor email: say one in account_of()."
    raise ConfigurationError(msg)
