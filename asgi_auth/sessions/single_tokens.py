"""Sign tokens without a session: for links, for services, and for who acts for a user.

There is no refresh token: each ends by time, or by what it names. Who may have one is
not asked here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Literal

from asgi_auth._clock import Clock, system_clock
from asgi_auth.errors import ActorRefusedError, ConfigurationError, UnknownSubjectError
from asgi_auth.events import Event, Events
from asgi_auth.principal import Principal
from asgi_auth.revocation import RevocationList
from asgi_auth.sessions.dating import dated
from asgi_auth.sessions.lifetimes import check_minted
from asgi_auth.sessions.refresher import Refresher
from asgi_auth.sessions.tickets import Tickets
from asgi_auth.tokens.claims import UserId, subject_of
from asgi_auth.tokens.grant import Grant
from asgi_auth.tokens.issuer import KINDS, TokenIssuer

__all__ = ["MintedKind", "SingleTokens", "TokenKind"]

MintedKind = Literal[
    "access", "verify", "reset", "device", "pending", "trust", "ceremony", "state"
]
TokenKind = MintedKind | Literal["refresh"]


class SingleTokens:
    """What a :class:`~asgi_auth.sessions.TokenService` signs without a session."""

    issuer: str | None
    access_ttl: float
    tickets: Tickets
    events: Events
    revocations: RevocationList
    _clock: Clock | None
    _issuer: TokenIssuer
    _refresher: Refresher

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
        return self._issuer.write(
            KINDS[kind],
            subject,
            claims=Grant(scopes, roles, claims or {}).to_claims(),
            **dated(lifetime, self._clock, self.revocations),
        )

    @property
    def clock(self) -> Clock:
        """What the tokens are dated by, as far as it is the service's own."""
        return self._clock or system_clock

    async def impersonate(
        self,
        subject: UserId,
        *,
        actor: Principal,
        ttl: float | None = None,
        grant: Grant | None = None,
        reason: str = "",
    ) -> str:
        """Return an access token of *subject* that names *actor* (RFC 8693, 4.1).

        It ends by time, with the user's sessions, or with the actor's.
        ``principal.actor`` is the actor's subject then, in every guard, log and
        handler; ``requires(allow_actor=False)`` and the routes about passwords,
        addresses and the account itself refuse it. The event ``session.impersonated``
        reports it.

        Args:
            subject: Whom the actor acts for.
            actor: Who does; the token ends with the actor's session, and is bound to
                the key that the actor's token is bound to (DPoP).
            ttl: Seconds that it lives, at most as long as an access token.
            grant: What it allows; by default what ``claims_loader`` grants the
                subject now.
            reason: Why, for the event.

        Raises:
            ActorRefusedError: Another user acts for *actor* already.
            UnknownSubjectError: The user is gone or disabled.
            ConfigurationError: *actor* is anonymous or the subject, *ttl* is out of
                bounds, or there are neither *grant* nor ``claims_loader``.
            UnavailableError: The loader has failed.
        """
        user = subject_of(subject)
        if not actor.is_authenticated or (actor.issuer, actor.subject) == (
            self.issuer,
            user,
        ):
            msg = "An actor is somebody who is known, and somebody else."
            raise ConfigurationError(msg)

        if actor.actor is not None:
            msg = f"{actor.actor!r} acts for {actor.subject!r}, who cannot act further"
            raise ActorRefusedError(msg)

        lifetime = self.access_ttl if ttl is None else ttl
        if lifetime <= 0:
            msg = "ttl must be positive."
            raise ConfigurationError(msg)

        check_minted("access", lifetime, self.access_ttl)
        allowed = await self._allowed(user, grant)
        # The actor's program holds a key: what it gets is of no use without that.
        confirmation = {
            name: actor.claims[name] for name in ("cnf",) if name in actor.claims
        }
        token = self._issuer.write(
            KINDS["access"],
            user,
            claims={**allowed, "act": self._act_of(actor), **confirmation},
            **dated(lifetime, self._clock, self.revocations),
        )
        self._report(user, actor, {"ttl": lifetime, "reason": reason})
        return token

    def _act_of(self, actor: Principal) -> dict[str, Any]:
        act: dict[str, Any] = {"sub": actor.subject}
        if actor.issuer != self.issuer:
            # Its sessions are another issuer's, so that we do not hear of their ends.
            return {**act, "iss": actor.issuer}

        return act if actor.session_id is None else {**act, "sid": actor.session_id}

    async def _allowed(self, user: str, said: Grant | None) -> Mapping[str, Any]:
        if said is not None and not self._refresher.knows_users:
            return said.to_claims()

        grant = await self._refresher.granted(user)
        if grant is None:
            raise UnknownSubjectError

        return (grant if said is None else said).to_claims()

    def _report(self, user: str, actor: Principal, detail: Mapping[str, Any]) -> None:
        event = Event(
            name="session.impersonated",
            at=(self._clock or system_clock)(),
            issuer=self.issuer,
            subject=user,
            session_id=actor.session_id,
            detail={"actor": actor.subject, **detail},
        )
        self.events.emit(event)
