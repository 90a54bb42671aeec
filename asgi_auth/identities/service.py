"""Log in at other providers, and keep which of their users are which of ours.

It opens no session and sets no cookie; whoever logs a user in does that.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from asgi_auth._clock import Clock, system_clock
from asgi_auth.accounts import Account, AccountDisabledError, AccountService
from asgi_auth.errors import ConfigurationError, StepUpRequiredError
from asgi_auth.identities.attempt import ATTEMPT_TTL, Attempt, check_target
from asgi_auth.identities.callback import ProviderAnswer, read_attempt, take
from asgi_auth.identities.errors import (
    InvalidCallbackError,
)
from asgi_auth.identities.keeping import TokenKeeper
from asgi_auth.identities.linked import LinkedIdentities
from asgi_auth.identities.linking import How, Linker
from asgi_auth.identities.provider import Grant, IdentityProvider, Prompt
from asgi_auth.identities.records import IdentityStore
from asgi_auth.keys import SealKeys
from asgi_auth.principal import Principal
from asgi_auth.sessions import TokenService

__all__ = ["FRESH", "Identities", "Outcome", "Start"]

FRESH: Final = 300
"""Seconds after a log-in in which identities may be linked and unlinked."""


@dataclass(frozen=True, slots=True)
class Start:
    """A log-in that has begun.

    Attributes:
        url: Where to send the browser.
        attempt: What was begun.
        token: What the browser keeps, in a cookie, until it comes back.
    """

    url: str = field(repr=False)
    attempt: Attempt
    token: str = field(repr=False)


class Outcome(NamedTuple):
    """Who has come back from a provider.

    Attributes:
        account: Whose account it is.
        how: How it was found.
        attempt: What was begun; with an ``account_id`` nobody logs in.
        auth_time: When the user logged in at the provider, if it says so.
    """

    account: Account
    how: How
    attempt: Attempt
    auth_time: float | None


class Identities(LinkedIdentities):
    """Everything about log-ins at other providers.

    Args:
        providers: Where users may log in, each with a name of its own.
        tokens: Signs what the browser keeps; its store knows what was used.
        accounts: Knows the users.
        store: Keeps which identity is whose.
        sign_up: Whether an account is made for a new user of a provider that vouches
            for the address. Else only users who have linked it get in.
        seal: Seals the tokens of providers with ``keep_tokens``.
        landing: Where users go after a log-in that named no other path.
        error_page: Where browsers are sent that were refused, with ``?error=`` and the
            code; without one they are shown the refusal as it is.
        callback_page: Where a page of yours takes the answers of providers, below
            which each has its name: ``/app/back`` for ``/app/back/google``. It posts
            them to the routes, and gets the tokens. Needed where these go in bodies.
        clock: Returns Unix seconds; by default the system's, and the store's for what
            may be used once.

    Raises:
        ConfigurationError: The parts do not fit together; the text says why.
    """

    def __init__(
        self,
        *providers: IdentityProvider,
        tokens: TokenService,
        accounts: AccountService,
        store: IdentityStore,
        sign_up: bool = True,
        seal: SealKeys | None = None,
        landing: str = "/",
        error_page: str | None = None,
        callback_page: str | None = None,
        clock: Clock | None = None,
    ) -> None:
        by_name = {provider.name: provider for provider in providers}
        _check(providers, by_name, accounts, sign_up=sign_up, seal=seal)
        self.landing: str = check_target(landing)
        self.error_page: str | None = error_page and check_target(error_page)
        self.callback_page: str | None = callback_page and check_target(callback_page)
        self._own_clock = clock
        super().__init__(
            by_name,
            tokens=tokens,
            linker=Linker(
                store=store,
                accounts=accounts,
                sign_up=sign_up,
                clock=clock or system_clock,
            ),
            keeper=TokenKeeper(store, seal),
        )
        accounts.also_end(self._linker.forget_if_gone, deleted_only=True)
        accounts.end_when_claimed(self.forget)

    async def begin(
        self,
        provider: str,
        *,
        redirect_uri: str,
        next: str | None = None,  # noqa: A002 - as in the address
        prompt: Prompt = Prompt(),
        fresh: bool = False,
        link_to: Principal | None = None,
    ) -> Start:
        """Begin a log-in, or the linking of an identity.

        Args:
            provider: Its name.
            redirect_uri: Where it is to send the browser back.
            next: Where the user wants to go then: a path of this site.
            prompt: What it is to ask the user.
            fresh: The user is to log in there again, however short ago that was.
            link_to: Who links an identity to the own account; ``None``: a log-in.

        Raises:
            UnknownProviderError: No provider has this name.
            InvalidTargetError: *next* leads to another site.
            StepUpRequiredError: Linking needs a log-in of the last five minutes.
            UnavailableError: The provider is down.
        """
        chosen = self.provider(provider)
        target = self.landing if next is None else check_target(next)
        if link_to is not None:
            self.require_fresh(link_to)

        attempt = Attempt.begin(
            provider=chosen.name,
            redirect_uri=redirect_uri,
            next=target,
            begun_at=self._clock(),
            fresh=fresh,
            account_id=None if link_to is None else link_to.subject,
            session_id=None if link_to is None else link_to.session_id,
        )
        url = await chosen.authorization_url(attempt, prompt)
        token = self._tokens.mint(
            attempt.state, kind="state", ttl=ATTEMPT_TTL, claims=attempt.to_claims()
        )
        return Start(url, attempt, token)

    async def finish(
        self, provider: str, answer: ProviderAnswer, token: str | None
    ) -> Outcome:
        """Find out who has come back.

        Args:
            provider: The name of the one whose address the answer came to.
            answer: What it says.
            token: What the browser has kept.

        Raises:
            InvalidCallbackError: It is no good answer to a log-in of this browser.
            ProviderDeniedError: The user, or the provider, said no.
            LinkRequiredError: No account is linked, and none may be.
            IdentityTakenError: The identity to link is another account's.
            AccountDisabledError: The account is disabled.
            UnavailableError: The provider or a store is down.
        """
        chosen = self.provider(provider)
        attempt = await read_attempt(self._tokens, token)
        now = None if self._own_clock is None else self._clock()
        code = await take(self._tokens, chosen, attempt, answer, now=now)
        grant = await chosen.redeem(attempt, code)
        if attempt.account_id is not None:
            account = await self._link(chosen, attempt, grant)
            how: How = "user"
        else:
            account, how = await self._log_in(chosen, grant)

        return Outcome(account, how, attempt, grant.auth_time)

    def require_fresh(self, caller: Principal) -> None:
        """Pass who has logged in within the last five minutes.

        Raises:
            StepUpRequiredError: It is longer ago, or the session is not known.
        """
        age = self._clock() - (caller.auth_time or 0.0)
        if age > FRESH or caller.session_id is None:
            msg = "linking and unlinking need a fresh log-in"
            raise StepUpRequiredError(msg, max_age=FRESH)

    async def aclose(self) -> None:
        """Close the connections to the providers in the running loop."""
        for provider in self.providers:
            await provider.aclose()

    async def _log_in(
        self, provider: IdentityProvider, grant: Grant
    ) -> tuple[Account, How]:
        known = await self._linker.known(provider.issuer, grant.subject)
        if known is not None:
            identity, account = known
            how: How = "identity"
        else:
            profile = await provider.profile(grant)
            identity, account, how = await self._linker.by_address(
                provider.issuer, profile
            )
            self._tell("identity.linked", account.id, provider.name, how=how)

        if provider.keeps_tokens:
            await self._keeper.keep(identity, grant.tokens)

        return account, how

    async def _link(
        self, provider: IdentityProvider, attempt: Attempt, grant: Grant
    ) -> Account:
        """Link for the user who began it, and whose session goes on."""
        account_id = attempt.account_id or ""
        sid = attempt.session_id or ""
        if await self._tokens.session(sid, account_id) is None:
            msg = "the session in which the linking began has ended"
            raise InvalidCallbackError(msg)

        account = await self._linker.accounts.store.find_by_id(account_id)
        if account is None or account.disabled:
            raise AccountDisabledError

        profile = await provider.profile(grant)
        identity = await self._linker.link(provider.issuer, profile, account.id)
        self._tell("identity.linked", account.id, provider.name, how="user")
        if provider.keeps_tokens:
            await self._keeper.keep(identity, grant.tokens)

        return account


def _check(
    providers: Sequence[IdentityProvider],
    by_name: Mapping[str, IdentityProvider],
    accounts: AccountService,
    *,
    sign_up: bool,
    seal: SealKeys | None,
) -> None:
    if not providers or len(by_name) != len(providers):
        msg = "Identities needs providers, each with a name of its own."
        raise ConfigurationError(msg)

    issuers = [provider.issuer for provider in providers]
    if len({*issuers}) != len(issuers):
        shared = max(issuers, key=issuers.count)
        msg = (
            f"Two providers have the issuer {shared}: a user of one could be taken for "
            "one of the other. Give each AuthorizationServer an issuer=... of its own."
        )
        raise ConfigurationError(msg)

    if seal is None and any(provider.keeps_tokens for provider in providers):
        msg = "keep_tokens=True needs seal=SealKeys(...): tokens are secrets."
        raise ConfigurationError(msg)

    if sign_up and "register" not in accounts.can:
        msg = "These accounts make no new ones: give Identities sign_up=False."
        raise ConfigurationError(msg)
