"""Whose account an identity is: the rules of linking, and nothing else.

Nobody takes an account over: an identity is linked only by an address that a trusted
provider has verified and that the account has verified too, or by a user who has just
logged in another way.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from asgi_auth._clock import Clock
from asgi_auth.accounts import (
    Account,
    AccountDisabledError,
    AccountService,
    DuplicateAccountError,
    InvalidEmailError,
)
from asgi_auth.accounts.address import normalise_email
from asgi_auth.identities.errors import IdentityTakenError, LinkRequiredError
from asgi_auth.identities.records import Identity, IdentityStore, Profile

__all__ = ["How", "Linker"]

How = Literal["identity", "address", "sign_up", "user", "adopted"]
"""How an account was found: linked before, by its address, made anew, by its user, or
by another library."""

_MOST: Final = 20
"""Identities that one account may have: nobody can make the list grow for ever."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Linker:
    """Finds, links and makes accounts.

    Attributes:
        store: Keeps identities.
        accounts: Keeps accounts.
        sign_up: Whether users of a provider become users of ours by themselves.
        clock: Returns Unix seconds.
    """

    store: IdentityStore
    accounts: AccountService
    sign_up: bool
    clock: Clock

    async def known(self, issuer: str, subject: str) -> tuple[Identity, Account] | None:
        """Return an identity with its account, or ``None`` if it is not linked.

        Raises:
            AccountDisabledError: It is, to an account that is disabled.
            UnavailableError: A store is down.
        """
        identity = await self.store.find(issuer, subject)
        if identity is None:
            return None

        account = await self.accounts.store.find_by_id(identity.account_id)
        if account is None:
            # Its id must not lead to whoever may get it next.
            await self.store.remove(identity)
            return None

        _check_enabled(account)
        return identity, account

    async def by_address(
        self, issuer: str, profile: Profile
    ) -> tuple[Identity, Account, How]:
        """Link an identity by its verified address, or make an account for it.

        Raises:
            LinkRequiredError: Neither may be done.
            AccountDisabledError: The account is disabled.
            UnavailableError: A store is down.
        """
        address = _verified_address(profile)
        account = await self.accounts.store.find_by_email(address)
        how: How = "address"
        if account is None:
            account, how = await self._sign_up(address)

        if how == "address" and account.verified_at is None:
            # Whoever registered it may read no mail there, and would stay inside by
            # the password of then.
            msg = "the address of the account is not verified"
            raise LinkRequiredError(msg)

        _check_enabled(account)
        identity = await self.link(issuer, profile, account.id)
        return identity, account, how

    async def link(self, issuer: str, profile: Profile, account_id: str) -> Identity:
        """Link an identity to an account; it may be linked to it already.

        Raises:
            IdentityTakenError: Another account has it, or this one has too many.
            UnavailableError: The store is down.
        """
        if len(await self.store.list(account_id)) >= _MOST:
            msg = f"an account has {_MOST} identities at most"
            raise IdentityTakenError(msg)

        identity = Identity(
            issuer=issuer,
            subject=profile.subject,
            account_id=account_id,
            email=_shown(profile.email),
            linked_at=self.clock(),
        )
        try:
            await self.store.add(identity)
        except IdentityTakenError:
            # Two tabs may have been at it at once.
            present = await self.store.find(issuer, profile.subject)
            if present is None or present.account_id != identity.account_id:
                raise

            return present

        return identity

    async def forget_if_gone(self, account_id: str) -> None:
        """Remove the identities of an account that does not exist any more.

        Raises:
            UnavailableError: A store is down.
        """
        if await self.accounts.store.find_by_id(account_id) is None:
            for identity in await self.store.list(account_id):
                await self.store.remove(identity)

    async def _sign_up(self, address: str) -> tuple[Account, How]:
        if not self.sign_up:
            msg = "no account has the address, and none is made"
            raise LinkRequiredError(msg)

        try:
            return await self.accounts.create(address), "sign_up"
        except DuplicateAccountError:
            account = await self.accounts.store.find_by_email(address)

        if account is None:
            msg = "an account of this address has come and gone"
            raise LinkRequiredError(msg)

        return account, "address"


def _check_enabled(account: Account) -> None:
    if account.disabled:
        raise AccountDisabledError


def _verified_address(profile: Profile) -> str:
    # A callable of the application's own may pass on what an API has said.
    if not isinstance(profile.email, str) or profile.email_verified is not True:
        msg = "the provider vouches for no address"
        raise LinkRequiredError(msg)

    try:
        return normalise_email(profile.email)
    except InvalidEmailError:
        msg = "the provider's address is none that we deliver to"

    raise LinkRequiredError(msg)


def _shown(email: str | None) -> str | None:
    """Return an address for people to read, or ``None`` for what is none."""
    longest = 254
    is_text = isinstance(email, str) and email.isprintable()
    return email if is_text and len(email or "") <= longest else None
