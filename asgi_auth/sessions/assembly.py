"""Put together what a token service consists of.

It decides nothing: each part says by itself what it does, and checks its settings.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from asgi_auth._clock import Clock, system_clock
from asgi_auth.errors import ConfigurationError
from asgi_auth.events import Events, Listener
from asgi_auth.keys import KeySet
from asgi_auth.revocation import RevocationList
from asgi_auth.sessions.lifetimes import SessionPolicy
from asgi_auth.sessions.opener import Opener
from asgi_auth.sessions.refresher import ClaimsLoader, Refresher
from asgi_auth.sessions.renewal import SessionRenewal
from asgi_auth.sessions.revoker import Revoker
from asgi_auth.sessions.tickets import Tickets
from asgi_auth.sessions.verifiers import Verifiers
from asgi_auth.stores.base import Store
from asgi_auth.tokens.issuer import TokenIssuer
from asgi_auth.tokens.verification import Verification

__all__ = ["Assembly"]


@dataclass(kw_only=True, repr=False)
class Assembly:
    """The parts of one service.

    Args:
        keys: Sign and verify access tokens.
        store: Keeps sessions and revocations.
        session_policy: How long sessions live, and how many there are.
        audience: Who is to accept the access tokens.

    All else is described at :class:`~asgi_auth.sessions.service.TokenService`.

    Attributes:
        refresh_keys: Sign and verify all tokens but the access tokens.
        events: Gets what is reported.
        revocations: This process's copy of what is revoked.
        revoker: Ends sessions and tokens.
        refresher: Replaces refresh tokens.
        opener: Opens sessions.
        token_issuer: Signs.
        verifiers: One for each kind of token.
    """

    keys: KeySet
    store: Store
    session_policy: SessionPolicy
    issuer: str | None
    audience: str | Iterable[str] | None
    client_id: str | None
    claims_loader: ClaimsLoader | None
    verification: Verification
    on_event: Listener | Events | None
    clock: Clock | None

    refresh_keys: KeySet = field(init=False)
    events: Events = field(init=False)
    revocations: RevocationList = field(init=False)
    revoker: Revoker = field(init=False)
    refresher: Refresher = field(init=False)
    opener: Opener = field(init=False)
    token_issuer: TokenIssuer = field(init=False)
    verifiers: Verifiers = field(init=False)
    tickets: Tickets = field(init=False)

    def __post_init__(self) -> None:
        """Make the parts, each from those before it."""
        keys: object = self.keys
        if not isinstance(keys, KeySet):
            msg = "TokenService signs with a KeySet: KeySet([key]) for a single key."
            raise ConfigurationError(msg)

        if self.client_id == "":
            msg = "client_id is empty: name it, or leave it out."
            raise ConfigurationError(msg)

        if not isinstance(self.audience, str | None):
            self.audience = tuple(self.audience)

        other_keys = self.session_policy.refresh_keys
        self.refresh_keys = self.keys if other_keys is None else other_keys
        self.events = Events.of(self.on_event)
        self.revocations = self._revocations()
        self.revoker = self._revoker()
        self.refresher = self._refresher()
        self.opener = self._opener()
        self.token_issuer = TokenIssuer(
            self.keys,
            self.refresh_keys,
            issuer=self.issuer,
            audience=self.audience,
            client_id=self.client_id,
        )
        self.verifiers = self._verifiers(self.audience)
        renewal = SessionRenewal(
            self.revoker, self.refresher, self.session_policy.access_ttl
        )
        self.verifiers["access"].renew_by(renewal)
        self.tickets = Tickets(
            self.token_issuer, self.verifiers, self.store, self.revocations, self.clock
        )

    def _revocations(self) -> RevocationList:
        return RevocationList(
            self.store,
            max_staleness=self.session_policy.max_staleness,
            insecure_accept_stale=self.session_policy.insecure_accept_stale,
            close=lambda sids: self.store.close(sids, now=self.revoker.now()),
            clock=self.clock,
        )

    def _revoker(self) -> Revoker:
        return Revoker(
            self.store,
            self.revocations,
            issuer=self.issuer or "",
            # What was issued a moment later by a slower clock is covered as well.
            ttl=self.session_policy.access_ttl + self.verification.leeway + 60,
            session_ttl=self.session_policy.session_ttl,
            events=self.events,
            clock=self.clock,
        )

    def _refresher(self) -> Refresher:
        return Refresher(
            self.store,
            self.revocations,
            self.revoker,
            self.session_policy,
            claims_loader=self.claims_loader,
        )

    def _opener(self) -> Opener:
        return Opener(
            self.store,
            self.revoker,
            self.session_policy,
            issuer=self.issuer or "",
        )

    def _verifiers(self, audience: str | tuple[str, ...] | None) -> Verifiers:
        return Verifiers(
            self.keys,
            self.refresh_keys,
            audience=audience,
            verification=self.verification,
            issuer=self.issuer,
            revocations=self.revocations,
            clock=self.clock or system_clock,
        )
