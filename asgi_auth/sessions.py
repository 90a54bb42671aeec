"""Issue, verify, refresh, list and revoke: the token service of an application.

One session is one log-in on one device; its refresh token is replaced at each use
(RFC 9700, section 4.14.2). This room never sees a request, and keeps no state of its
own: the store does.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from inspect import isawaitable
from secrets import token_urlsafe
from typing import Any, Literal

from asgi_auth._clock import Clock, system_clock
from asgi_auth.config import AuthConfig
from asgi_auth.errors import (
    ConfigurationError,
    ExpiredTokenError,
    InvalidTokenError,
    ReusedTokenError,
    RevokedTokenError,
    UnknownSubjectError,
)
from asgi_auth.events import Event, Events, Listener
from asgi_auth.keys import KeySet
from asgi_auth.revocation import RevocationList
from asgi_auth.stores.base import Store
from asgi_auth.stores.memory import MemoryStore
from asgi_auth.stores.records import (
    Device,
    Revocation,
    Rotation,
    Session,
    subject_tag,
)
from asgi_auth.tokens.claims import DAY
from asgi_auth.tokens.grant import Grant
from asgi_auth.tokens.issuer import KINDS, TokenIssuer
from asgi_auth.tokens.pair import TokenPair
from asgi_auth.tokens.verifier import TokenVerifier, VerifiedToken

__all__ = ["ClaimsLoader", "TokenKind", "TokenService"]

TokenKind = Literal["access", "refresh", "verify", "reset"]

ClaimsLoader = Callable[[str], Grant | None | Awaitable[Grant | None]]
"""Gives what a subject is granted now, or ``None`` if it is gone or disabled."""

_MAX_GRACE = 60


class TokenService:
    """The life of an application's own tokens.

    Args:
        keys: Sign and verify access tokens; publish these.
        store: Keeps sessions and revocations; in memory by default, which one
            process alone can see.
        issuer: The ``iss``, for instance ``https://api.example``.
        audience: The ``aud`` of access tokens: who is to accept them.
        client_id: The ``client_id`` of access tokens; the audience by default.
        access_ttl: Seconds that an access token lives.
        refresh_ttl: Seconds that a session lives without a refresh.
        session_ttl: Seconds that a session lives in any case.
        grace: Seconds within which a repeated refresh gives the same successor, at
            most 60: tabs race, and answers get lost.
        max_sessions: Sessions a subject may have; the oldest is revoked.
        refresh_keys: Sign and verify all other tokens; never publish these. By
            default the same as *keys*.
        claims_loader: Renews scopes, roles and claims at each refresh.
        leeway: Seconds that ``exp`` is stretched by, 0 to 300.
        skew: Seconds that ``nbf`` and ``iat`` may lie ahead, 0 to 300.
        max_staleness: See :class:`~asgi_auth.revocation.RevocationList`.
        insecure_accept_stale: See :class:`~asgi_auth.revocation.RevocationList`.
        cache: ``None`` verifies the same token again each time.
        cache_size: Greatest number of verified tokens to remember.
        on_event: Gets an :class:`~asgi_auth.events.Event` for all that happens.
        clock: Returns Unix seconds; by default the store's clock counts for
            sessions, and the system's for tokens.

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
        refresh_ttl: float = 7 * DAY,
        session_ttl: float = 30 * DAY,
        grace: float = 30,
        max_sessions: int | None = None,
        refresh_keys: KeySet | None = None,
        claims_loader: ClaimsLoader | None = None,
        leeway: float = 0,
        skew: float = 5,
        max_staleness: float = 5.0,
        insecure_accept_stale: bool = False,
        cache: Literal["memory"] | None = "memory",
        cache_size: int = 4096,
        on_event: Listener | None = None,
        clock: Clock | None = None,
    ) -> None:
        _check_lifetimes(access_ttl, refresh_ttl, session_ttl, grace)
        if max_sessions is not None and max_sessions < 1:
            msg = "max_sessions must be at least 1, or None."
            raise ConfigurationError(msg)

        audience = audience if isinstance(audience, str | None) else tuple(audience)
        self.keys = keys
        self.issuer = issuer
        self.access_ttl = access_ttl
        self.store: Store = MemoryStore() if store is None else store
        self.revocations = RevocationList(
            self.store,
            max_staleness=max_staleness,
            insecure_accept_stale=insecure_accept_stale,
        )
        self._audience = audience
        self._refresh_ttl = refresh_ttl
        self._session_ttl = session_ttl
        self._grace = grace
        self._max_sessions = max_sessions
        self._claims_loader = claims_loader
        self._leeway = leeway
        self._clock = clock
        self._events = Events(on_event)
        self._issuer = TokenIssuer(
            keys,
            refresh_keys or keys,
            issuer=issuer,
            audience=audience,
            client_id=client_id,
        )
        self._verifiers = {
            kind.name: TokenVerifier(
                keys if kind.audience is None else refresh_keys or keys,
                issuer=issuer,
                audience=kind.audience or audience,
                types=(kind.typ,),
                kind=kind.name,
                leeway=leeway,
                skew=skew,
                # Other kinds come once: remembering them would be of no use.
                cache=cache if kind.audience is None else None,
                cache_size=cache_size,
                revocations=self.revocations,
                clock=clock or system_clock,
            )
            for kind in KINDS.values()
        }

    @classmethod
    def from_config(cls, config: AuthConfig, **options: Any) -> TokenService:
        """Make a service from settings.

        Args:
            config: Key, lifetimes, issuer and audience.
            options: What the settings do not say, for instance ``store``.
        """
        chosen: dict[str, Any] = {
            "issuer": config.issuer,
            "audience": config.audience,
            "access_ttl": config.access_token_expire_minutes * 60,
            "refresh_ttl": config.refresh_token_expire_days * DAY,
            "session_ttl": max(30, config.refresh_token_expire_days) * DAY,
        }
        return cls(config.key_set(), **{**chosen, **options})

    @property
    def verifier(self) -> TokenVerifier:
        """Verifies the access tokens."""
        return self._verifiers["access"]

    async def issue(
        self,
        subject: str,
        *,
        scopes: Iterable[str] = (),
        roles: Iterable[str] = (),
        claims: Mapping[str, Any] | None = None,
        device: Device | None = None,
        auth_time: float | None = None,
        acr: str | None = None,
        amr: Sequence[str] = (),
    ) -> TokenPair:
        """Open a session for a user who has just logged in.

        Args:
            subject: The user's id.
            scopes: What the access tokens allow.
            roles: The user's roles.
            claims: Further claims of the access tokens.
            device: Where the log-in comes from.
            auth_time: When the user logged in, in Unix seconds; now by default.
            acr: Authentication context class (RFC 9470).
            amr: Authentication methods (RFC 8176).

        Raises:
            ConfigurationError: A value cannot go into a token.
            UnavailableError: The store is down.
        """
        self._issuer.check_subject(subject)
        grant = Grant(scopes, roles, claims or {}).to_claims()
        issuer = self.issuer or ""
        session = await self.store.create(
            sid=f"{subject_tag(issuer, subject)}.{token_urlsafe(16)}",
            issuer=issuer,
            subject=subject,
            idle_ttl=min(self._refresh_ttl, self._session_ttl),
            ttl=self._session_ttl,
            auth_time=auth_time,
            acr=acr,
            amr=amr,
            claims=grant,
            device=device,
            now=self._now(),
        )
        self._emit("session.created", session)
        await self._enforce_max_sessions(session)
        return self._pair(session, session.claims)

    async def refresh(self, refresh_token: str) -> TokenPair:
        """Replace a refresh token (RFC 6749, section 6).

        However many ask with one token within the grace, all get the same successor.
        A refresh that was cut off at any point can be repeated.

        Raises:
            ExpiredTokenError: The token or its session has ended.
            RevokedTokenError: The session was revoked, or is unknown.
            ReusedTokenError: The token was replaced before; the session is revoked.
            UnknownSubjectError: The user is gone; the session is revoked.
            InvalidTokenError: The token is forged, malformed, or of another kind.
            UnavailableError: The store is down; nothing has changed.
        """
        token = self._verifiers["refresh"].verify(_bytes(refresh_token))
        sid, seq = token.session_id, token.claims.get("seq")
        if sid is None or type(seq) is not int:
            msg = "a refresh token without sid or seq"
            raise InvalidTokenError(msg)

        await self._refuse_revoked(token, sid)
        grant = await self._renewed_grant(token.subject, sid)
        rotation = await self.store.rotate(
            sid, seq, idle_ttl=self._refresh_ttl, grace=self._grace, now=self._now()
        )
        session = await self._judge(rotation, sid, token)
        self._emit(f"session.{rotation.outcome}", session)
        return self._pair(session, session.claims if grant is None else grant)

    async def verify(
        self, token: str, expected_type: TokenKind = "access"
    ) -> Mapping[str, Any]:
        """Return the claims of a good token, read-only.

        Raises:
            ExpiredTokenError: It was good once.
            RevokedTokenError: It, its session or its subject was revoked.
            InvalidTokenError: It is forged, malformed, or of another kind.
            UnavailableError: It cannot be known whether it is revoked.
        """
        verified = await self._verifiers[expected_type].admit(_bytes(token))
        return verified.claims

    def mint(
        self,
        subject: str,
        *,
        kind: Literal["access", "verify", "reset"] = "access",
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
        if kind == "access" and lifetime > self.access_ttl:
            msg = "An access token cannot outlive access_ttl: revocations would not."
            raise ConfigurationError(msg)

        return self._issuer.write(
            KINDS[kind],
            subject,
            now=(self._clock or system_clock)(),
            ttl=lifetime,
            claims=Grant(scopes, roles, claims or {}).to_claims(),
        )

    async def sessions(self, subject: str) -> Sequence[Session]:
        """List a subject's sessions, the oldest first.

        Raises:
            UnavailableError: The store is down.
        """
        return await self.store.sessions(self.issuer or "", subject, now=self._now())

    async def revoke(self, token: str) -> None:
        """Revoke one token (RFC 7009): a refresh token with its whole session.

        A token that is bad anyhow is passed over, as section 2.2 asks.

        Raises:
            UnavailableError: The store is down.
        """
        for kind in ("refresh", "access"):
            try:
                verified = self._verifiers[kind].verify(_bytes(token))
            except InvalidTokenError:
                continue

            if kind == "refresh" and verified.session_id is not None:
                await self.revoke_session(verified.session_id)
            elif verified.token_id is not None:
                await self._publish([("jti", verified.token_id)])

    async def revoke_session(self, sid: str) -> None:
        """End one session; its access tokens are refused within a second everywhere.

        Raises:
            UnavailableError: The store is down.
        """
        await self._end([sid], "session.revoked")

    async def revoke_subject(self, subject: str, *, keep: str | None = None) -> None:
        """Log a subject out everywhere, or everywhere but on one device.

        Args:
            subject: Whom.
            keep: The ``sid`` of the session that goes on.

        Raises:
            UnavailableError: The store is down.
        """
        sessions = await self.sessions(subject)
        sids = [session.sid for session in sessions if session.sid != keep]
        await self._publish([("subject", subject)])
        await self._end(sids, "session.revoked", subject)

    async def revoke_all(self) -> None:
        """Refuse everything that was issued up to now, for instance after a breach.

        Raises:
            UnavailableError: The store is down.
        """
        await self._publish([("all", "")], ttl=self._session_ttl)

    async def aclose(self) -> None:
        """Stop reading revocations along in the running loop."""
        await self.revocations.aclose()

    async def _refuse_revoked(self, token: VerifiedToken, sid: str) -> None:
        await self.revocations.ensure_fresh()
        try:
            self.revocations.check(
                token.issuer,
                session_id=sid,
                token_id=None,
                subject=token.subject,
                issued_at=token.issued_at,
            )
        except RevokedTokenError:
            # It was published and perhaps, after a crash, never closed.
            await self.store.close([sid], now=self._now())
            raise

    async def _renewed_grant(self, subject: str, sid: str) -> Mapping[str, Any] | None:
        if self._claims_loader is None:
            return None

        grant = self._claims_loader(subject)
        if isawaitable(grant):
            grant = await grant

        if grant is None:
            await self.revoke_session(sid)
            raise UnknownSubjectError

        return grant.to_claims()

    async def _judge(
        self, rotation: Rotation, sid: str, token: VerifiedToken
    ) -> Session:
        """Return the session that goes on, or end it and raise."""
        session = rotation.session
        if session is None or session.revoked_at is not None:
            raise RevokedTokenError

        if (session.issuer, session.subject) != (self.issuer or "", token.subject):
            msg = "the session is somebody else's"
            raise InvalidTokenError(msg)

        if rotation.outcome == "reused":
            await self._end([sid], "session.reused", session.subject)
            raise ReusedTokenError

        if rotation.outcome == "refused":
            seq = token.claims["seq"]
            raise InvalidTokenError if seq > session.seq else ExpiredTokenError

        return session

    async def _enforce_max_sessions(self, newest: Session) -> None:
        if self._max_sessions is None:
            return

        sessions = await self.sessions(newest.subject)
        others = [session.sid for session in sessions if session.sid != newest.sid]
        surplus = len(others) + 1 - self._max_sessions
        if surplus > 0:
            await self._end(others[:surplus], "session.revoked", newest.subject)

    async def _end(
        self, sids: Sequence[str], event: str, subject: str | None = None
    ) -> None:
        """Publish first, then close: a crash in between errs on the safe side."""
        if not sids:
            return

        await self._publish([("sid", sid) for sid in sids])
        await self.store.close(sids, now=self._now())
        for sid in sids:
            self._emit_about(event, subject, sid)

    async def _publish(
        self,
        entries: Sequence[tuple[Literal["jti", "sid", "subject", "all"], str]],
        *,
        ttl: float | None = None,
    ) -> None:
        issuer = self.issuer or ""
        await self.store.publish(
            [Revocation(kind=k, issuer=issuer, value=v) for k, v in entries],
            ttl=self.access_ttl + self._leeway + 60 if ttl is None else ttl,
            now=self._now(),
        )
        await self.revocations.read()

    def _pair(self, session: Session, grant: Mapping[str, Any]) -> TokenPair:
        began = session.rotated_at
        return TokenPair(
            access_token=self._issuer.access(session, grant, ttl=self.access_ttl),
            refresh_token=self._issuer.refresh(session),
            expires_in=int(min(self.access_ttl, session.expires_at - began)),
            refresh_expires_in=int(session.idle_expires_at - began),
            scope=grant.get("scope", ""),
        )

    def _now(self) -> float | None:
        return None if self._clock is None else self._clock()

    def _emit(self, name: str, session: Session) -> None:
        self._emit_about(name, session.subject, session.sid)

    def _emit_about(self, name: str, subject: str | None, sid: str) -> None:
        at = (self._clock or system_clock)()
        event = Event(
            name=name, at=at, issuer=self.issuer, subject=subject, session_id=sid
        )
        self._events.emit(event)


def _bytes(token: str) -> bytes:
    try:
        return token.encode("ascii")
    except UnicodeEncodeError:
        msg = "a token is ASCII"
        raise InvalidTokenError(msg) from None


def _check_lifetimes(access: float, idle: float, session: float, grace: float) -> None:
    if not 0 < access <= DAY:
        msg = "access_ttl must be more than 0 seconds and at most a day."
        raise ConfigurationError(msg)

    if not access <= idle <= 366 * DAY or not access <= session <= 366 * DAY:
        msg = "refresh_ttl and session_ttl must be access_ttl to 366 days."
        raise ConfigurationError(msg)

    if not 0 <= grace <= _MAX_GRACE:
        msg = "grace must be 0 to 60 seconds."
        raise ConfigurationError(msg)
