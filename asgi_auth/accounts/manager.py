"""The class to subclass when users live in a database of your own.

It looks users up and checks passwords; it issues nothing and stores nothing.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import replace
from functools import cached_property
from typing import Any, Generic, Self, TypeVar

from asgi_auth._logs import package_logger
from asgi_auth.accounts.base import Account
from asgi_auth.accounts.errors import StaleAccountError
from asgi_auth.accounts.own import SavesUsers
from asgi_auth.accounts.users import account_of_user, attribute_of
from asgi_auth.errors import (
    ConfigurationError,
    InvalidCredentialsError,
    UnavailableError,
)
from asgi_auth.passwords.hasher import PasswordHasher
from asgi_auth.passwords.policy import password_fault
from asgi_auth.principal import is_user

__all__ = ["AuthManager"]

User = TypeVar("User")

_logger = package_logger(__name__)

_LONGEST_LOGIN = 320
_MISSING = object()


class AuthManager(ABC, Generic[User]):
    """Looks users up and checks their passwords.

    Write the two look-ups. If your users have a ``password_hash``, that is all; where
    it is called otherwise, set ``password_attribute``. Else write
    :meth:`verify_password` too, and set ``hasher`` to a hasher with the scheme that you
    use, so that unknown users cost the same time.

    Attributes:
        password_attribute: What the hash is called in a user, an object or a mapping.
        id_type: What makes an id of a subject: ``int``, ``UUID``, or ``str``.

    Raises:
        ConfigurationError: Neither ``get_user_by_email`` nor ``get_user_by_login`` is
            written.

    .. code-block:: python

        class Users(AuthManager[UserRow]):
            id_type = int

            async def get_user_by_email(self, email: str) -> UserRow | None:
                return await db.fetch_user(email=email.lower())

            async def get_user_by_id(self, user_id: int) -> UserRow | None:
                return await db.fetch_user(id=user_id)
    """

    password_attribute: str = "password_hash"  # noqa: S105  (a name, not a secret)
    id_type: type[Any] = str

    def __new__(cls, *_arguments: Any, **_options: Any) -> Self:
        """Refuse a class that cannot find users."""
        if (
            cls.get_user_by_email is AuthManager.get_user_by_email
            and cls.get_user_by_login is AuthManager.get_user_by_login
        ):
            msg = f"{cls.__name__} needs get_user_by_email() or get_user_by_login()."
            raise ConfigurationError(msg)

        return super().__new__(cls)

    @property
    def has_names(self) -> bool:
        """Whether users log in with something else than their address."""
        return type(self).get_user_by_login is not AuthManager.get_user_by_login

    @property
    def has_addresses(self) -> bool:
        """Whether users are found by their address, so that mail can be offered."""
        return type(self).get_user_by_email is not AuthManager.get_user_by_email

    @cached_property
    def hasher(self) -> PasswordHasher:
        """The hasher for new passwords, unknown users, and ``verify_password``."""
        return PasswordHasher()

    async def get_user_by_email(self, email: str) -> User | None:
        """Return the user with this address, as the client wrote it, or ``None``.

        Without it, users log in by name, and nothing is offered that needs mail.
        """
        return None

    async def get_user_by_login(self, login: str) -> User | None:
        """Return the user who logs in with this name; by default it is the address."""
        return await self.get_user_by_email(login)

    @abstractmethod
    async def get_user_by_id(self, user_id: Any) -> User | None:
        """Return the user with this id, of type ``id_type``, or ``None``."""

    async def get_user_by_subject(self, subject: str) -> User | None:
        """Return the user that a token is about, or ``None``.

        A subject is the text of an id; another spelling of it has no user.
        """
        try:
            user_id = self.id_type(subject)
        except ValueError:
            return None

        if str(user_id) != subject:
            return None

        try:
            user = await self.get_user_by_id(user_id)
        except OverflowError:
            return None  # No database has a number of so many digits.

        return user if is_user(user) else None

    def account_of(self, user: User) -> Account:
        """Return what the log-in routes need to know about a user.

        By default the attributes or keys ``id``, ``email``, ``username``, ``roles``,
        ``scopes``, ``disabled`` or ``is_active``, and ``verified_at`` or
        ``is_verified`` count, as far as they are there.

        Raises:
            ConfigurationError: The user has no id.
        """
        return account_of_user(user)

    def knows_verified(self, user: User) -> bool:
        """Report whether a user says if its address is verified.

        By default that is what :meth:`account_of` looks at; one of your own knows it.
        """
        if type(self).account_of is not AuthManager.account_of:
            return True

        names = ("verified_at", "is_verified")
        return any(attribute_of(user, n, _MISSING) is not _MISSING for n in names)

    async def verify_password(self, login: str, password: str) -> bool:
        """Return whether the password is right; unknown users have none.

        Hash in a worker thread when you write your own, as
        :meth:`PasswordHasher.verify` does: on the event loop, everybody waits.
        """
        user = await self.get_user_by_login(login)
        own_user = user if is_user(user) else None
        stored = None if own_user is None else self.stored_hash(own_user)
        try:
            match = await self.hasher.verify(password, stored)
        except InvalidCredentialsError:
            return False

        if stored is not None and match.replacement is not None:
            await self._upgrade(login, stored, match.replacement)

        return True

    async def _upgrade(self, login: str, stored: str, password_hash: str) -> None:
        # Hashing takes a while, in which somebody may have changed the user.
        user = await self.get_user_by_login(login)
        if user is None or not is_user(user) or self.stored_hash(user) != stored:
            return

        try:
            await self.save_password_hash(user, password_hash)
        except (StaleAccountError, UnavailableError) as error:
            # The next log-in tries again: a right password is not refused for this.
            name = type(error).__name__
            _logger.warning("a password hash could not be replaced (%s)", name)

    def stored_hash(self, user: User) -> str | None:
        """Return the hash of a user's password; ``None`` for a user without one.

        Raises:
            ConfigurationError: Users have no such attribute.
        """
        name = self.password_attribute
        stored = attribute_of(user, name, _MISSING)
        if stored is not _MISSING:
            # As Django writes it, and we do, where the column must hold something.
            is_none = stored is None or str(stored).startswith("!")
            return None if is_none else str(stored)

        msg = (
            f"{type(user).__name__} has no {name!r}: say in {type(self).__name__} what "
            'it is called, for instance password_attribute = "hashed_password", or '
            "write verify_password()."
        )
        raise ConfigurationError(msg)

    async def save_password_hash(self, user: User, password_hash: str) -> None:
        """Store a hash that replaces an outdated one.

        With :class:`~asgi_auth.accounts.SavesUsers` it is saved; otherwise write it,
        or it is not kept.
        """
        if isinstance(self, SavesUsers):
            account = replace(self.account_of(user), password_hash=password_hash)
            await self.save_user(user, account)

    async def authenticate(self, login: str, password: str) -> User | None:
        """Return the user if the password is right, else ``None``.

        An unknown user costs the time of a wrong password, and texts that no database
        or hash takes are refused before either sees them.

        Raises:
            UnavailableError: No verdict is possible at the moment.
        """
        if password_fault(password) is not None:
            return None

        user = await self.get_user_by_login(login) if _is_plain(login) else None
        if user is None or not is_user(user):
            # As verify_password looks a known user up once more.
            if _is_plain(login):
                await self.get_user_by_login(login)

            await self.hasher.verify_dummy(password)
            return None

        try:
            right = await self.verify_password(login, password)
        except InvalidCredentialsError:
            return None

        # Its hash may have been replaced just now.
        return await self.get_user_by_login(login) if right else None


def _is_plain(login: str) -> bool:
    """Say whether drivers take the text: PostgreSQL, for one, has no NUL."""
    return len(login) <= _LONGEST_LOGIN and login.isprintable()
