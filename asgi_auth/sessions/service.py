"""Issue, verify, refresh, list and revoke: the token service of an application.

One session is one log-in on one device; its refresh token is replaced at each use
(RFC 9700, section 4.14.2). It sees no request, and its state is in the store.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any

from asgi_auth._clock import Clock
from asgi_auth.config import AuthConfig
from asgi_auth.errors import InvalidTokenError
from asgi_auth.events import Events, Listener
from asgi_auth.keys import KeySet
from asgi_auth.revocation import RevocationList
from asgi_auth.sessions.assembly import Assembly
from asgi_auth.sessions.binding import bound_to
from asgi_auth.sessions.lifetimes import SessionPolicy
from asgi_auth.sessions.refresher import ClaimsLoader
from asgi_auth.sessions.single_tokens import SingleTokens, TokenKind
from asgi_auth.sessions.subject_sessions import SubjectSessions
from asgi_auth.sessions.tickets import Tickets
from asgi_auth.stores.base import Store
from asgi_auth.stores.memory import MemoryStore
from asgi_auth.stores.records import Device
from asgi_auth.tokens.claims import DAY, UserId, subject_of
from asgi_auth.tokens.grant import Grant
from asgi_auth.tokens.pair import TokenPair
from asgi_auth.tokens.verification import Verification
from asgi_auth.tokens.verifier import TokenVerifier

__all__ = ["TokenService"]


class TokenService(SingleTokens, SubjectSessions):
    """The life of an application's own tokens.

    Args:
        keys: Sign and verify access tokens; publish these.
        store: Keeps sessions and revocations; by default in memory, for one process.
        issuer: The ``iss``, for instance ``https://api.example``.
        audience: The ``aud`` of access tokens: who is to accept them.
        client_id: The ``client_id`` of access tokens; the audience by default.
        session_policy: How long access tokens and sessions live, how many sessions
            there are, who may repeat a refresh, how soon an end is known, and what
            signs all other tokens.
        claims_loader: Renews scopes, roles and claims at each refresh.
        verification: How far the times of a token may be off, and how many verified
            tokens are remembered.
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
        session_policy: SessionPolicy = SessionPolicy(),
        claims_loader: ClaimsLoader | None = None,
        verification: Verification = Verification(),
        on_event: Listener | Events | None = None,
        clock: Clock | None = None,
    ) -> None:
        self.keys: KeySet = keys
        self.issuer: str | None = issuer
        self.access_ttl: float = session_policy.access_ttl
        self.session_policy: SessionPolicy = session_policy
        self.store: Store = MemoryStore() if store is None else store
        parts = Assembly(
            keys=keys,
            store=self.store,
            session_policy=session_policy,
            issuer=issuer,
            audience=audience,
            client_id=client_id,
            claims_loader=claims_loader,
            verification=verification,
            on_event=on_event,
            clock=clock,
        )
        self.events: Events = parts.events
        self.revocations: RevocationList = parts.revocations
        self._clock, self._revoker, self._opener = clock, parts.revoker, parts.opener
        self._refresher, self._issuer = parts.refresher, parts.token_issuer
        self._verifiers = parts.verifiers
        self.tickets: Tickets = parts.tickets

    @classmethod
    def from_config(cls, config: AuthConfig, **options: Any) -> TokenService:
        """Make a service from settings.

        Args:
            config: Key, lifetimes, issuer and audience.
            options: What the settings do not say, for instance ``store``.
        """
        settings: dict[str, Any] = {
            "issuer": config.issuer,
            "audience": config.audience,
            "session_policy": SessionPolicy(
                access_ttl=config.access_ttl,
                refresh_ttl=config.refresh_ttl,
                session_ttl=max(30 * DAY, config.refresh_ttl),
            ),
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
