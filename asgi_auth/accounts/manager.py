"""The class to subclass when users live in a database of your own.

It decides about e-mail and password only; it issues nothing and stores nothing.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from functools import cached_property
from typing import Any, Generic, TypeVar

from asgi_auth.accounts.users import attribute_of
from asgi_auth.errors import ConfigurationError, InvalidCredentialsError
from asgi_auth.passwords.hasher import PasswordHasher
from asgi_auth.passwords.policy import password_fault
from asgi_auth.principal import is_user

__all__ = ["AuthManager"]

User = TypeVar("User")

_LONGEST_EMAIL = 320
_MISSING = object()


class AuthManager(ABC, Generic[User]):
    """Looks users up and checks their passwords.

    Write the two look-ups. If your users have a ``password_hash``, that is all; where
    it is called otherwise, set ``password_attribute``. Else write
    :meth:`verify_password` too, and set ``hasher`` to a hasher with the scheme that you
    use, so that unknown users cost the same time.

    Attributes:
        password_attribute: What the hash is called in a user, an object or a mapping.

    .. code-block:: python

        class Users(AuthManager[UserRow]):
            async def get_user_by_email(self, email: str) -> UserRow | None:
                return await db.fetch_user(email=email.lower())

            async def get_user_by_id(self, user_id: str) -> UserRow | None:
                return await db.fetch_user(id=user_id)
    """

    password_attribute: str = "password_hash"  # noqa: S105  (a name, not a secret)

    @cached_property
    def hasher(self) -> PasswordHasher:
        """The hasher for unknown users, and for the default ``verify_password``."""
        return PasswordHasher()

    @abstractmethod
    async def get_user_by_email(self, email: str) -> User | None:
        """Return the user with this address, as the client wrote it, or ``None``."""

    @abstractmethod
    async def get_user_by_id(self, user_id: Any) -> User | None:
        """Return the user with this id, or ``None``."""

    async def verify_password(self, email: str, password: str) -> bool:
        """Return whether the password is right; unknown users have none.

        Hash in a worker thread when you write your own, as
        :meth:`PasswordHasher.verify` does: on the event loop, everybody waits.
        """
        user = await self.get_user_by_email(email)
        known = user if is_user(user) else None
        stored = None if known is None else self._stored_hash(known)
        try:
            match = await self.hasher.verify(password, stored)
        except InvalidCredentialsError:
            return False

        if user is not None and match.replacement is not None:
            await self.save_password_hash(user, match.replacement)
        return True

    def _stored_hash(self, user: User) -> str | None:
        name = self.password_attribute
        stored = attribute_of(user, name, _MISSING)
        if stored is not _MISSING:
            return None if stored is None else str(stored)

        msg = (
            f"{type(user).__name__} has no {name!r}: say in {type(self).__name__} what "
            'it is called, for instance password_attribute = "hashed_password", or '
            "write verify_password()."
        )
        raise ConfigurationError(msg)

    async def save_password_hash(self, user: User, password_hash: str) -> None:
        """Store a hash that replaces an outdated one; by default it is not kept."""

    async def authenticate(self, email: str, password: str) -> User | None:
        """Return the user if the password is right, else ``None``.

        An unknown user costs the time of a wrong password, and texts that no database
        or hash takes are refused before either sees them.

        Raises:
            UnavailableError: No verdict is possible at the moment.
        """
        if password_fault(password) is not None:
            return None

        user = await self.get_user_by_email(email) if _is_plain(email) else None
        if user is None or not is_user(user):
            # As verify_password looks a known user up once more.
            if _is_plain(email):
                await self.get_user_by_email(email)
            await self.hasher.verify_dummy(password)
            return None

        try:
            right = await self.verify_password(email, password)
        except InvalidCredentialsError:
            return None
        return user if right else None


def _is_plain(email: str) -> bool:
    """Tell whether drivers take the text: PostgreSQL, for one, has no NUL."""
    return len(email) <= _LONGEST_EMAIL and email.isprintable()
