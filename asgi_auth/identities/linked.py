"""The identities of an account: list them, remove them, read what is kept with them.

Nobody logs in here. Who may call these for whom is asked by whoever calls.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from asgi_auth.accounts.errors import LastWayInError
from asgi_auth.accounts.ways import WaysIn
from asgi_auth.errors import ConfigurationError
from asgi_auth.events import Event
from asgi_auth.identities.errors import (
    UnknownIdentityError,
    UnknownProviderError,
)
from asgi_auth.identities.keeping import TokenKeeper
from asgi_auth.identities.linking import Linker
from asgi_auth.identities.provider import IdentityProvider
from asgi_auth.identities.records import Identity, Profile
from asgi_auth.sessions import TokenService
from asgi_auth.tokens.claims import is_plain_text

__all__ = ["LinkedIdentities"]


class LinkedIdentities:
    """What :class:`~asgi_auth.identities.Identities` does without a provider.

    Args:
        providers: Where users may log in, by name.
        tokens: Has the events.
        linker: Links identities.
        keeper: Keeps tokens.
    """

    def __init__(
        self,
        providers: Mapping[str, IdentityProvider],
        *,
        tokens: TokenService,
        linker: Linker,
        keeper: TokenKeeper,
    ) -> None:
        self._providers = dict(providers)
        self._tokens = tokens
        self._linker = linker
        self._store = linker.store
        self._clock = linker.clock
        self._keeper = keeper

    @property
    def providers(self) -> tuple[IdentityProvider, ...]:
        """Where users may log in, in the order of buttons."""
        return tuple(self._providers.values())

    def provider(self, name: str) -> IdentityProvider:
        """Return a provider by its name.

        Raises:
            UnknownProviderError: None is called so.
        """
        provider = self._providers.get(name)
        if provider is None:
            raise UnknownProviderError

        return provider

    async def list(self, account_id: str) -> Sequence[Identity]:
        """Return the identities of an account, the oldest first.

        Raises:
            UnavailableError: The store is down.
        """
        return await self._store.list(account_id)

    async def unlink(
        self, account_id: str, identity_id: str, *, beside: Iterable[WaysIn] = ()
    ) -> None:
        """Remove an identity of an account, unless it is the last way in.

        Args:
            account_id: Whose.
            identity_id: The ``id`` of the identity.
            beside: What else users log in with, beside passwords: passkeys, for one.

        Raises:
            UnknownIdentityError: The account has none of this id.
            LastWayInError: The user could not log in any more.
            UnavailableError: A store is down.
        """
        identities = await self._store.list(account_id)
        chosen = [each for each in identities if each.id == identity_id]
        if not chosen:
            raise UnknownIdentityError

        identity, beside = chosen[0], tuple(beside)
        has_password = await self._has_password(account_id)
        others = int(has_password) + await _count(beside, account_id)
        if not others and not self._usable(identities, but=identity):
            raise LastWayInError

        if await self._store.remove(identity, unless_last=not others):
            await self._check_others(identity, beside, has_password=has_password)
            self._tell("identity.unlinked", account_id, self._name_of(identity))
        elif identity in await self._store.list(account_id):
            raise LastWayInError

    async def ways_in(self, account_id: str) -> int:
        """Return how many identities of an account can be used to log in.

        Raises:
            UnavailableError: The store is down.
        """
        return self._usable(await self._store.list(account_id))

    async def adopt(
        self, account_id: str, provider: str, subject: str, *, email: str | None = None
    ) -> Identity:
        """Link an identity that another library has linked: for migrations only.

        Nothing is asked, and it may be repeated.

        Args:
            account_id: Whose.
            provider: The name of the provider.
            subject: Its id of the user: the ``sub`` of ID tokens.
            email: The address there.

        Raises:
            UnknownProviderError: No provider has this name.
            IdentityTakenError: Another account has it.
            ConfigurationError: The subject is none.
            UnavailableError: The store is down.
        """
        if not is_plain_text(subject):
            msg = "The subject of an identity is a short, plain text: str(id)."
            raise ConfigurationError(msg)

        profile = Profile(subject=subject, email=email)
        issuer = self.provider(provider).issuer
        identity = await self._linker.link(issuer, profile, account_id)
        self._tell("identity.linked", identity.account_id, provider, how="adopted")
        return identity

    async def forget(self, account_id: str) -> None:
        """Remove all identities of an account that your own code deletes.

        ``AccountService.delete`` does it by itself.

        Raises:
            UnavailableError: The store is down.
        """
        for identity in await self._store.list(account_id):
            await self._store.remove(identity)

    async def provider_tokens(
        self, account_id: str, provider: str
    ) -> Mapping[str, Any] | None:
        """Return the kept tokens of a provider: ``access_token`` and what came along.

        Args:
            account_id: Whose.
            provider: The name of the provider.

        Raises:
            UnknownProviderError: No provider has this name.
            ConfigurationError: The key that they were sealed with is gone.
            UnavailableError: The store is down.
        """
        issuer = self.provider(provider).issuer
        for identity in await self._store.list(account_id):
            if identity.issuer == issuer and identity.tokens is not None:
                return self._keeper.open(identity)

        return None

    def _usable(
        self, identities: Iterable[Identity], *, but: Identity | None = None
    ) -> int:
        """Count them; what no provider here knows any more lets nobody in."""
        issuers = {provider.issuer for provider in self.providers}
        return sum(each.issuer in issuers and each != but for each in identities)

    async def _has_password(self, account_id: str) -> bool:
        accounts = self._linker.accounts
        account = await accounts.store.find_by_id(account_id)
        if account is None:
            return False

        # A manager that saves no passwords need not show one, and has one.
        return account.password_hash is not None or "password" not in accounts.can

    async def _check_others(
        self, identity: Identity, beside: tuple[WaysIn, ...], *, has_password: bool
    ) -> None:
        """Put an identity back if the last way beside it went at the same time.

        Raises:
            LastWayInError: It did.
        """
        if has_password or not beside:
            return

        if await _count((self, *beside), identity.account_id) == 0:
            await self._store.add(identity)
            raise LastWayInError

    def _name_of(self, identity: Identity) -> str:
        names = [p.name for p in self.providers if p.issuer == identity.issuer]
        return names[0] if names else identity.issuer

    def _tell(self, name: str, account_id: str, provider: str, **more: str) -> None:
        event = Event(
            name=name,
            at=self._clock(),
            issuer=self._tokens.issuer,
            subject=account_id,
            detail={"provider": provider, **more},
        )
        self._tokens.events.emit(event)


async def _count(kinds: Iterable[WaysIn], account_id: str) -> int:
    return sum([await kind.ways_in(account_id) for kind in kinds])
