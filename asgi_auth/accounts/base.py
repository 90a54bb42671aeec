"""What an account is, and what the accounts need from store, tokens and mail.

Values and protocols only: nothing here does anything.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, runtime_checkable

from asgi_auth._frozen import freeze
from asgi_auth.events import Events
from asgi_auth.stores.records import Session
from asgi_auth.tokens.claims import subject_of

__all__ = [
    "Account",
    "AccountDirectory",
    "AccountStore",
    "AccountTokens",
    "MessageKind",
    "SendMessage",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """One user, as the store keeps it. Times are seconds since the Unix epoch.

    Attributes:
        id: The subject of this user's tokens; never changes. An int or a UUID becomes
            its text.
        email: The address in the form of :func:`normalise_email`; empty where users of
            an application's own have none.
        username: The name that such users log in with, if it is not the address.
        password_hash: What :class:`PasswordHasher` made; ``None`` without a password.
        roles: Go into each access token.
        scopes: Go into each access token.
        disabled: May not log in.
        verified_at: When the owner proved to read mail at *email*.
        created_at: When the account was made.
        data: Whatever else the application keeps, as read-only JSON.
        version: Counts changes; a store replaces only the version it has.
        user: The application's own user, of :class:`ManagedAccounts`; never stored.
    """

    id: str
    email: str = ""
    username: str | None = None
    password_hash: str | None = field(default=None, repr=False)
    roles: tuple[str, ...] = ()
    scopes: tuple[str, ...] = ()
    disabled: bool = False
    verified_at: float | None = None
    created_at: float = 0.0
    data: Mapping[str, Any] = field(default_factory=dict, repr=False)
    version: int = 0
    user: Any = field(default=None, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Freeze what a handler could change by mistake.

        Raises:
            ConfigurationError: The id cannot be a subject.
        """
        object.__setattr__(self, "id", subject_of(self.id))
        object.__setattr__(self, "roles", tuple(self.roles))
        object.__setattr__(self, "scopes", tuple(self.scopes))
        object.__setattr__(self, "data", freeze(dict(self.data)))


class AccountStore(Protocol):
    """Keeps accounts. Each verb is atomic.

    Every verb raises :class:`~asgi_auth.errors.UnavailableError` when the store is
    down.
    """

    async def find_by_email(self, email: str) -> Account | None:
        """Find an account by its address, in the form of :func:`normalise_email`."""
        ...

    async def find_by_id(self, account_id: str) -> Account | None:
        """Find an account by its id."""
        ...

    async def add(self, account: Account) -> Account:
        """Add an account, and return it as stored.

        Raises:
            DuplicateAccountError: The address or the id is taken. Of many calls at
                once, exactly one succeeds.
        """
        ...

    async def update(self, account: Account) -> Account:
        """Replace the account with this id and this version, and count the version up.

        Raises:
            StaleAccountError: The stored version is another one, or there is none.
            DuplicateAccountError: The new address is taken.
        """
        ...


@runtime_checkable
class AccountDirectory(Protocol):
    """What an account store needs for administration, beside its four verbs."""

    async def page(self, *, search: str, after: str, limit: int) -> Sequence[Account]:
        """Return a page of accounts, ordered by their ids.

        Args:
            search: What the address must contain; empty: anything.
            after: The id of the last account of the page before, or empty.
            limit: How many at most.
        """
        ...

    async def remove(self, account_id: str) -> None:
        """Delete an account, if it is there."""
        ...


class AccountTokens(Protocol):
    """What the accounts need of the service that issues tokens."""

    @property
    def issuer(self) -> str | None:
        """Whose tokens they are."""
        ...

    @property
    def events(self) -> Events:
        """Who gets the events."""
        ...

    def mint(
        self,
        subject: str,
        *,
        kind: Literal["verify", "reset"],
        ttl: float,
        claims: Mapping[str, Any],
    ) -> str:
        """Sign a token of this kind, and of no other, that lives *ttl* seconds."""
        ...

    async def verify(
        self, token: str, expected_type: Literal["verify", "reset"]
    ) -> Mapping[str, Any]:
        """Return the claims of a token of this kind.

        Raises:
            InvalidTokenError: It is anything else, or its time is over.
            UnavailableError: It cannot be known whether it is revoked.
        """
        ...

    async def sessions(self, subject: str) -> Sequence[Session]:
        """Return the first sessions of a subject, the oldest first."""
        ...

    async def revoke_subject(self, subject: str, *, keep: str | None = None) -> object:
        """End every session of a subject, except for the one with this ``sid``."""
        ...


MessageKind = Literal[
    "verify",
    "reset",
    "exists",
    "change_email",
    "email_changed",
    "password_changed",
    "code",
    "factors_changed",
]
"""What a message is about.

``verify``: the token goes to :meth:`AccountService.verify_email`. ``reset`` and
``exists`` (somebody registered with this address again): to
:meth:`AccountService.reset_password`. ``change_email``: to
:meth:`AccountService.confirm_email`. ``code``: what is in place of a token is a code to
be typed in. The others are notices, without a token.
"""

SendMessage = Callable[[MessageKind, Account, str | None], Awaitable[None]]
"""Sends one message to ``account.email``; the third argument is the token."""
