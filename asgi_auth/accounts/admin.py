"""Administration: find accounts, make and delete them, give and take rights.

Who may do that is not asked here: guard what calls it. Each change ends the sessions
that it is about, everywhere within a second, and makes an event.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any
from uuid import uuid4

from asgi_auth._clock import Clock
from asgi_auth.accounts.address import email_words, normalise_email
from asgi_auth.accounts.base import (
    Account,
    AccountDirectory,
    AccountStore,
    AccountTokens,
)
from asgi_auth.accounts.changes import AccountChanges
from asgi_auth.accounts.endings import Ending, Endings
from asgi_auth.accounts.errors import UnknownAccountError
from asgi_auth.errors import ConfigurationError
from asgi_auth.events import Event
from asgi_auth.passwords import PasswordHasher, PasswordPolicy
from asgi_auth.stores.records import Session
from asgi_auth.tokens.claims import subject_of
from asgi_auth.tokens.grant import Grant

__all__ = ["LARGEST_PAGE", "AccountAdministration"]

LARGEST_PAGE = 1000
"""Accounts that one page may have."""


class AccountAdministration:
    """What administrators do with accounts.

    Args:
        accounts: Keeps the accounts.
        tokens: Ends sessions.
        hasher: Hashes passwords.
        policy: Says which new passwords are good enough.
        clock: Returns the present.
    """

    _changes: AccountChanges

    def __init__(
        self,
        accounts: AccountStore,
        tokens: AccountTokens,
        hasher: PasswordHasher,
        policy: PasswordPolicy,
        clock: Clock,
    ) -> None:
        self._accounts = accounts
        self._tokens = tokens
        self._hasher = hasher
        self._policy = policy
        self._clock = clock
        self._endings = Endings()

    @property
    def store(self) -> AccountStore:
        """Keeps the accounts."""
        return self._accounts

    @property
    def has_directory(self) -> bool:
        """Whether the store lists and deletes, see :class:`AccountDirectory`."""
        return _directory_in(self._accounts) is not None

    def also_end(self, ending: Ending, *, deleted_only: bool = False) -> None:
        """Call *ending* with the id of every account that is disabled or deleted.

        For what a user has beside sessions: keys, rows of your own. It is
        called before the account changes, and where it fails, nothing does; and again
        after, for what the user has made in between. It must not mind to be repeated.

        Args:
            ending: For instance ``keys.revoke_subject`` of an ``APIKeys``.
            deleted_only: Only when the account is gone, and not before: whatever cuts
                a deletion off, no account is left without its second factors.
        """
        self._endings.add(ending, deleted_only=deleted_only)

    def end_when_claimed(self, ending: Ending) -> None:
        """Call *ending* when an owner resets the password of an unverified account."""
        self._changes.claims.append(ending)

    async def find(self, account_id: str) -> Account | None:
        """Return the account of a subject, or ``None`` if it is gone or disabled."""
        account = await self._accounts.find_by_id(subject_of(account_id))
        return None if account is None or account.disabled else account

    async def show(self, account: str) -> Account:
        """Return an account, disabled or not.

        Args:
            account: Its id, or what its owner logs in with.

        Raises:
            UnknownAccountError: There is no such account.
        """
        entry = await self._accounts.find_by_id(account)
        if entry is None:
            entry = await self._find_by_name(account)

        if entry is None:
            raise UnknownAccountError

        return entry

    async def list(
        self, *, search: str = "", after: str = "", limit: int = 100
    ) -> Sequence[Account]:
        """Return a page of accounts, ordered by their ids.

        Args:
            search: What the address must contain; a search reads all accounts.
            after: The id of the last account of the page before.
            limit: How many, at most 1000. Only the last page has fewer.

        Raises:
            ConfigurationError: *limit* is out of bounds, or the store lists nothing.
        """
        if not 1 <= limit <= LARGEST_PAGE:
            msg = f"limit must be 1 to {LARGEST_PAGE}."
            raise ConfigurationError(msg)

        return await self._directory().page(
            search=search.strip().lower(), after=after, limit=limit
        )

    async def create(
        self,
        email: str,
        password: str | None = None,
        *,
        roles: Iterable[str] = (),
        scopes: Iterable[str] = (),
        data: Mapping[str, Any] | None = None,
        by: str | None = None,
    ) -> Account:
        """Make an account whose address counts as verified; nothing is sent.

        Args:
            email: Its address.
            password: Its password; without one, the owner sets it by a message
                from :meth:`AccountService.forgot_password`.
            roles: What it is.
            scopes: What it may do.
            data: Whatever else the application keeps, as JSON.
            by: Who does it, for the event.

        Raises:
            InvalidEmailError: It is not an address.
            PasswordRefusedError: The password is not good enough.
            DuplicateAccountError: The address is taken.
            ConfigurationError: A role or a scope cannot go into a token.
        """
        address, grant = normalise_email(email), Grant(scopes, roles)
        password_hash = None
        if password is not None:
            self._policy.check(password, words=email_words(address))
            password_hash = await self._hasher.hash(password)

        account = Account(
            id=str(uuid4()),
            email=address,
            password_hash=password_hash,
            roles=tuple(grant.roles),
            scopes=tuple(grant.scopes),
            verified_at=self._clock(),
            created_at=self._clock(),
            data={} if data is None else data,
        )
        created = await self._accounts.add(account)
        self._tell("account.created", created.id, by)
        return created

    async def set_roles(
        self, account_id: str, roles: Iterable[str], *, by: str | None = None
    ) -> Account:
        """Set the roles, and end the sessions that were opened with others.

        Args:
            account_id: Whose.
            roles: All that the account has from now on.
            by: Who does it, for the event.

        Raises:
            UnknownAccountError: There is no such account.
            ConfigurationError: A role cannot go into a token.
            UnavailableError: Sessions cannot be ended at the moment; repeat it.
        """
        granted = tuple(Grant(roles=roles).roles)
        return await self._set_rights(account_id, by, "roles", granted)

    async def set_scopes(
        self, account_id: str, scopes: Iterable[str], *, by: str | None = None
    ) -> Account:
        """Set the scopes, and end the sessions that were opened with others.

        Args:
            account_id: Whose.
            scopes: All that the account has from now on.
            by: Who does it, for the event.

        Raises:
            UnknownAccountError: There is no such account.
            ConfigurationError: A scope cannot go into a token.
            UnavailableError: Sessions cannot be ended at the moment; repeat it.
        """
        granted = tuple(Grant(scopes=scopes).scopes)
        return await self._set_rights(account_id, by, "scopes", granted)

    async def disable(self, account_id: str, *, by: str | None = None) -> Account:
        """Refuse the user from now on, and end all sessions; repeat it if it fails.

        Raises:
            UnknownAccountError: There is no such account.
        """
        account = await self._required(account_id)
        await self._endings.end(account.id)
        account = await self._changes.apply(account.id, partial(replace, disabled=True))
        await self._tokens.revoke_subject(account.id)
        self._tell("account.disabled", account.id, by)
        await self._endings.end(account.id)
        return account

    async def enable(self, account_id: str, *, by: str | None = None) -> Account:
        """Let the user log in again.

        Raises:
            UnknownAccountError: There is no such account.
        """
        account = await self._changes.apply(
            subject_of(account_id), partial(replace, disabled=False)
        )
        self._tell("account.enabled", account.id, by)
        return account

    async def delete(self, account_id: str, *, by: str | None = None) -> None:
        """Delete an account, and end its sessions; repeat it if it fails.

        Repeated for an account that is gone it ends what is left, and then raises.
        What the application keeps about the user is its own to delete: the event
        ``account.deleted`` reports it.

        Raises:
            UnknownAccountError: There is no such account.
            ConfigurationError: The store deletes nothing.
            UnavailableError: Sessions cannot be ended at the moment.
        """
        directory = self._directory()
        subject = subject_of(account_id)
        account = await self._accounts.find_by_id(subject)
        if account is not None:
            subject = account.id
            await self._endings.end(subject)
            await self._tokens.revoke_subject(subject)
            await directory.remove(subject)
            self._tell("account.deleted", subject, by)

        # What was made meanwhile, or is left by a try that was cut off here.
        await self._tokens.revoke_subject(subject)
        await self._endings.end_rest(subject)
        if account is None:
            raise UnknownAccountError

    async def sessions(self, account_id: str) -> Sequence[Session]:
        """Return where a user is logged in: 100 sessions at most, the oldest first.

        Raises:
            UnavailableError: The store is down.
        """
        return await self._tokens.sessions(subject_of(account_id))

    async def _set_rights(
        self, account_id: str, by: str | None, name: str, granted: tuple[str, ...]
    ) -> Account:
        before: list[Account] = []

        def edit(account: Account) -> Account:
            before[:] = [account]
            changed: Callable[..., Account] = partial(replace, account)
            return changed(**{name: granted})

        subject = subject_of(account_id)
        account = await self._changes.apply(subject, edit)
        # Also where they were the same: a try before may have failed half-way.
        await self._tokens.revoke_subject(account.id)
        detail = {name: list(granted), "before": list(getattr(before[0], name))}
        self._tell(f"account.{name}_changed", account.id, by, detail)
        return account

    async def _find_by_name(self, name: str) -> Account | None:
        if "@" not in name:
            return None

        return await self._accounts.find_by_email(normalise_email(name))

    async def _required(self, account_id: str) -> Account:
        account = await self._accounts.find_by_id(subject_of(account_id))
        if account is None:
            raise UnknownAccountError

        return account

    def _directory(self) -> AccountDirectory:
        directory = _directory_in(self._accounts)
        if directory is not None:
            return directory

        name = type(self._accounts).__name__
        msg = f"{name} has no page() and remove(): administration needs them."
        raise ConfigurationError(msg)

    def _tell(
        self,
        name: str,
        account_id: str,
        by: str | None = None,
        detail: Mapping[str, Any] | None = None,
    ) -> None:
        more = {} if by is None else {"by": by}
        event = Event(
            name=name,
            at=self._clock(),
            issuer=self._tokens.issuer,
            subject=account_id,
            detail={**(detail or {}), **more},
        )
        self._tokens.events.emit(event)


def _directory_in(accounts: Any) -> AccountDirectory | None:
    """Return *accounts*, if it lists and deletes, itself or what it hands on to.

    ``isinstance`` would not see the latter since Python 3.12.
    """
    has = callable(getattr(accounts, "page", None))
    return accounts if has and callable(getattr(accounts, "remove", None)) else None
