"""Issue, verify, refresh, list and revoke: the token service of an application.

One session is one log-in on one device; its refresh token is replaced at each use
(RFC 9700, section 4.14.2). It sees no request, and its state is in the store.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any, Literal

from asgi_auth._clock import Clock, system_clock
from asgi_auth.config import AuthConfig
from asgi_auth.errors import InvalidTokenError
from asgi_auth.events import Events, Listener
from asgi_auth.keys import KeySet
from asgi_auth.revocation import RevocationList
from asgi_auth.sessions.assembly import Assembly
from asgi_auth.sessions.binding import bound_to
from asgi_auth.sessions.impersonation import Impersonation
from asgi_auth.sessions.lifetimes import SessionPolicy, check_minted, check_page
from asgi_auth.sessions.refresher import ClaimsLoader
from asgi_auth.sessions.tickets import Tickets
from asgi_auth.stores.base import Store
from asgi_auth.stores.memory import MemoryStore
from asgi_auth.stores.records import SESSIONS_PAGE, Device, Place, Session
from asgi_auth.tokens.claims import DAY, UserId, subject_of
from asgi_auth.tokens.grant import Grant
from asgi_auth.tokens.issuer import KINDS
from asgi_auth.tokens.pair import TokenPair
from asgi_auth.tokens.tolerance import Tolerance
from asgi_auth.tokens.verifier import TokenVerifier

__all__ = ["MintedKind", "TokenKind", "TokenService"]

MintedKind = Literal[
    "access", "verify", "reset", "device", "pending", "trust", "ceremony", "state"
]
TokenKind = MintedKind | Literal["refresh"]


class TokenService(Impersonation):
    """The life of an application's own tokens.

    Args:
        keys: Sign and verify access tokens; publish these.
        store: Keeps sessions and revocations; by default in memory, for one process.
        issuer: The ``iss``, for instance ``https://api.example``.
        audience: The ``aud`` of access tokens: who is to accept them.
        client_id: The ``client_id`` of access tokens; the audience by default.
        access_ttl: Seconds that an access token lives.
        session_policy: How long sessions live, how many there are, and who may repeat
            a refresh.
        refresh_keys: Sign all other tokens; never publish these. By default *keys*.
        claims_loader: Renews scopes, roles and claims at each refresh.
        tolerance: How far the times of a token may be off.
        max_staleness, insecure_accept_stale: As of a :class:`RevocationList`.
        cache_size: Greatest number of verified tokens to remember; 0: none.
        on_event: Gets an :class:`~asgi_auth.events.Event` for all that happens.
        clock: Returns Unix seconds; by default the store's for sessions.

    Raises:
        ConfigurationError: A lifetime or the grace is out of bounds.
    """

    def __init__(
        self,
        keys: KeySet,
        *,
        store: Store | None = None,
        issuer: str | None = None,
        audience: str | Iterable[str] | None = None,
        client_id: str | None = None,
        access_ttl: float = 900,
        session_policy: SessionPolicy = SessionPolicy(),
        refresh_keys: KeySet | None = None,
        claims_loader: ClaimsLoader | None = None,
        tolerance: Tolerance = Tolerance(),
        max_staleness: float = 5.0,
        insecure_accept_stale: bool = False,
        cache_size: int = 4096,
        on_event: Listener | Events | None = None,
        clock: Clock | None = None,
    ) -> None:
        session_policy.check_access(access_ttl)
        self.keys: KeySet = keys
        self.issuer: str | None = issuer
        self.access_ttl: float = access_ttl
        self.store: Store = MemoryStore() if store is None else store
        parts = Assembly(
            keys=keys,
            refresh_keys=refresh_keys or keys,
            store=self.store,
            access_ttl=access_ttl,
            session_policy=session_policy,
            issuer=issuer,
            audience=audience,
            client_id=client_id,
            claims_loader=claims_loader,
            tolerance=tolerance,
            max_staleness=max_staleness,
            insecure_accept_stale=insecure_accept_stale,
            cache_size=cache_size,
            on_event=on_event,
            clock=clock,
        )
        self.events: Events = parts.events
        self.revocations: RevocationList = parts.revocations
        self._clock, self._revoker, self._opener = clock, parts.revoker, parts.opener
        self._refresher, self._issuer = parts.refresher, parts.token_issuer
        self._verifiers, self._tickets = parts.verifiers, parts.tickets

    @classmethod
    def from_config(cls, config: AuthConfig, **options: Any) -> TokenService:
        """Make a service from settings.

        Args:
            config: Key, lifetimes, issuer and audience.
            options: What the settings do not say, for instance ``store``.
        """
        idle = config.refresh_ttl
        policy = SessionPolicy(refresh_ttl=idle, session_ttl=max(30 * DAY, idle))
        settings: dict[str, Any] = {
            "issuer": config.issuer,
            "audience": config.audience,
            "access_ttl": config.access_ttl,
            "session_policy": policy,
        }
        return cls(config.key_set(), **{**settings, **options})

    @property
    def verifier(self) -> TokenVerifier:
        """Verifies the access tokens."""
        return self._verifiers["access"]

    async def issue(
        self,
        subject: UserId,
        *,
        scopes: Iterable[str] = (),
        roles: Iterable[str] = (),
        claims: Mapping[str, Any] | None = None,
        device: Device | None = None,
        auth_time: float | None = None,
        acr: str | None = None,
        amr: Sequence[str] = (),
        thumbprint: str | None = None,
    ) -> TokenPair:
        """Open a session for a user who has just logged in.

        Args:
            subject: The user's id; an int or a UUID becomes its text, here as in all
                other methods.
            scopes: What the access tokens allow.
            roles: The user's roles.
            claims: Further claims of the access tokens.
            device: Where the log-in comes from.
            auth_time: When the user logged in, in Unix seconds; now by default.
            acr: Authentication context class (RFC 9470).
            amr: Authentication methods (RFC 8176).
            thumbprint: Of the key that the tokens are bound to (RFC 9449).

        Raises:
            ConfigurationError: A value cannot go into a token.
            UnavailableError: The store is down.
        """
        session = await self._opener.open(
            subject_of(subject),
            auth_time=auth_time,
            acr=acr,
            amr=amr,
            claims=bound_to(thumbprint, Grant(scopes, roles, claims or {})),
            device=device or Device(),
        )
        return self._issuer.pair(session, session.claims, ttl=self.access_ttl)

    async def refresh(
        self,
        refresh_token: str,
        *,
        device: Device | None = None,
        thumbprint: str | None = None,
    ) -> TokenPair:
        """Replace a refresh token (RFC 6749, section 6).

        However many ask with one token within the grace get the same successor; a
        refresh that was cut off can be repeated.

        Args:
            refresh_token: The last one, or the one before within the grace.
            device: Where the request comes from; see *retry_from*.
            thumbprint: Of the key that the client has shown, if it has.

        Raises:
            ExpiredTokenError: The token or its session has ended.
            RevokedTokenError: The session was revoked, or is unknown.
            ReusedTokenError: The token was replaced before; the session is revoked.
            UnknownSubjectError: The user is gone; the session is revoked.
            InvalidTokenError: The token is forged, malformed, or of another kind.
            UnavailableError: The store is down; nothing has changed.
        """
        client = self._issuer.client_id
        token = self._verifiers.verify_refresh(refresh_token, client)
        session, grant = await self._refresher.refresh(token, device, thumbprint)
        return self._issuer.pair(session, grant, ttl=self.access_ttl)

    async def verify(
        self,
        token: str,
        expected_type: TokenKind = "access",
        *,
        insecure_ignore_confirmation: bool = False,
    ) -> Mapping[str, Any]:
        """Return the claims of a good token, read-only; not of one bound to a key.

        Raises:
            ExpiredTokenError: It was good once.
            RevokedTokenError: It, its session or its subject was revoked.
            InvalidTokenError: It is forged, malformed, or of another kind.
            UnavailableError: It cannot be known whether it is revoked.
        """
        return await self._verifiers.admit(
            expected_type, token, ignore_confirmation=insecure_ignore_confirmation
        )

    def mint(
        self,
        subject: UserId,
        *,
        kind: MintedKind = "access",
        ttl: float | None = None,
        scopes: Iterable[str] = (),
        roles: Iterable[str] = (),
        claims: Mapping[str, Any] | None = None,
    ) -> str:
        """Sign a token without a session: for services, links and tests.

        Args:
            subject: The ``sub``.
            kind: What it is for.
            ttl: Seconds that it lives; by default as long as an access token.
            scopes: What it allows.
            roles: The subject's roles.
            claims: Further claims.

        Raises:
            ConfigurationError: A value cannot go into a token.
        """
        lifetime = self.access_ttl if ttl is None else ttl
        check_minted(kind, lifetime, self.access_ttl)
        now = (self._clock or system_clock)()
        # Revocations are dated by the store: a token of the future would outlive them.
        ahead = 0.0 if self._clock else self.revocations.ahead(now)
        grant = Grant(scopes, roles, claims or {}).to_claims()
        iat, ttl = now - ahead, lifetime + ahead
        return self._issuer.write(KINDS[kind], subject, now=iat, ttl=ttl, claims=grant)

    @property
    def tickets(self) -> Tickets:
        """Writes and takes what stands for an access token in an address."""
        return self._tickets

    async def sessions(
        self, subject: UserId, *, after: Place | None = None, limit: int = SESSIONS_PAGE
    ) -> Sequence[Session]:
        """Return a page of a subject's sessions, the oldest first.

        Args:
            subject: Whose.
            after: The ``place`` of the last session of the page before.
            limit: How many, at most 1000. Only the last page has fewer.

        Raises:
            ConfigurationError: *limit* is out of bounds.
            UnavailableError: The store is down.
        """
        check_page(limit)
        owner = subject_of(subject)
        return await self._revoker.sessions(owner, after=after, limit=limit)

    async def session(self, sid: str, subject: UserId) -> Session | None:
        """Return a live session of a subject; ``None`` also for another's.

        Raises:
            UnavailableError: The store is down.
        """
        session, owner = await self._revoker.find(sid), subject_of(subject)
        return session if session is not None and session.subject == owner else None

    async def revoke(self, token: str) -> None:
        """Revoke one token (RFC 7009): a refresh token with its whole session.

        A token that is bad anyhow is passed over, as section 2.2 asks.

        Raises:
            UnavailableError: The store is down.
        """
        for kind in ("refresh", "access"):
            with suppress(InvalidTokenError):
                verified = self._verifiers.verify(kind, token)
                await self._revoker.revoke(kind, verified)

    async def revoke_session(self, sid: str) -> None:
        """End one session; its access tokens are refused within a second everywhere.

        Raises:
            UnavailableError: The store is down.
        """
        await self._revoker.end_if_live(sid)

    async def revoke_subject(self, subject: UserId, *, keep: str | None = None) -> None:
        """Log a subject out everywhere, or everywhere but on one device.

        It ends page after page of sessions. One that is cut off can be repeated, and
        goes on with what is left.

        Args:
            subject: Whom.
            keep: The ``sid`` of the session that goes on.

        Raises:
            UnavailableError: The store is down.
        """
        await self._revoker.end_subject(subject_of(subject), keep=keep)

    async def revoke_all(self) -> None:
        """Refuse everything that was issued up to now, for instance after a breach.

        Raises:
            UnavailableError: The store is down.
        """
        await self._revoker.end_all()

    def renew_from(self, claims_loader: ClaimsLoader, *, lender: object) -> None:
        """Take over a ``claims_loader``, if the service was given none.

        Args:
            claims_loader: Renews scopes, roles and claims at each refresh.
            lender: Whose loader it is: another one is a :class:`ConfigurationError`.
        """
        self._refresher.borrow(claims_loader, lender)

    async def ready(self) -> bool:
        """Report whether requests can be served: see ``RevocationList.load``."""
        return await self.revocations.load()

    async def aclose(self) -> None:
        """Stop reading revocations in the running loop."""
        await self.revocations.aclose()
