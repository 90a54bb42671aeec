"""Replace a refresh token by its one successor (RFC 9700, section 4.14.2).

The order matters: the signature before any I/O, the user before the counter, and the
counter in one atomic step. Nothing is signed here.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict
from hashlib import sha256
from inspect import isawaitable
from typing import Any, NamedTuple

from asgi_auth._logs import package_logger
from asgi_auth.errors import (
    AsgiAuthError,
    ConfigurationError,
    ExpiredTokenError,
    InvalidTokenError,
    ReusedTokenError,
    RevokedTokenError,
    UnavailableError,
    UnknownSubjectError,
)
from asgi_auth.principal import is_user
from asgi_auth.ratelimit.client_address import network_of
from asgi_auth.revocation import RevocationList
from asgi_auth.sessions.binding import check_binding
from asgi_auth.sessions.lifetimes import RetryFrom, SessionPolicy
from asgi_auth.sessions.revoker import Revoker
from asgi_auth.stores.base import Store
from asgi_auth.stores.records import Device, Rotation, Session
from asgi_auth.stores.rotation import GREATEST_SEQ
from asgi_auth.tokens.grant import Grant
from asgi_auth.tokens.verified import VerifiedToken

__all__ = ["ClaimsLoader", "Refreshed", "Refresher"]

_logger = package_logger(__name__)

ClaimsLoader = Callable[[str], Grant | Awaitable[Grant | None] | None]
"""Gives what a subject is granted now, or ``None`` if it is gone or disabled."""


class Refreshed(NamedTuple):
    """A session that goes on.

    Attributes:
        session: As it is after the refresh.
        grant: The claims of its next access token.
    """

    session: Session
    grant: Mapping[str, Any]


class Refresher:
    """Decides about refresh tokens whose signature is good.

    Args:
        store: Keeps the sessions.
        revocations: What is revoked.
        revoker: Ends sessions whose token was stolen.
        policy: How long a session lives, and who may repeat a refresh.
        claims_loader: Renews what a subject is granted.
    """

    __slots__ = (
        "_claims_loader",
        "_lender",
        "_policy",
        "_revocations",
        "_revoker",
        "_store",
    )

    def __init__(
        self,
        store: Store,
        revocations: RevocationList,
        revoker: Revoker,
        policy: SessionPolicy,
        *,
        claims_loader: ClaimsLoader | None,
    ) -> None:
        self._store = store
        self._revocations = revocations
        self._revoker = revoker
        self._claims_loader = claims_loader
        self._lender: object = None
        self._policy = policy

    def borrow(self, claims_loader: ClaimsLoader, lender: object) -> None:
        """Renew rights with this loader, unless there is one of the service's own.

        Args:
            claims_loader: Knows the rights of *lender*'s users.
            lender: Whose loader it is.

        Raises:
            ConfigurationError: Another caller has lent one before.
        """
        if self._claims_loader is not None and self._lender is None:
            return

        if self._lender not in (None, lender):
            msg = (
                "Two kinds of accounts share this TokenService, so that their rights "
                "cannot be renewed: give it a claims_loader that knows both."
            )
            raise ConfigurationError(msg)

        self._claims_loader, self._lender = claims_loader, lender

    async def refresh(
        self, token: VerifiedToken, device: Device | None, thumbprint: str | None
    ) -> Refreshed:
        """Advance the session of *token*, or end it and raise.

        Args:
            token: Whose signature is good.
            device: Where it comes from, if that is known.
            thumbprint: Of the key that the client has shown, if it has.

        Raises:
            ExpiredTokenError: The session has ended.
            RevokedTokenError: The session was revoked, or is unknown.
            ReusedTokenError: The token was replaced before; the session is revoked.
            UnknownSubjectError: The user is gone; the session is revoked.
            InvalidTokenError: The token is not one that this service has given out.
            UnavailableError: The store is down; nothing has changed.
        """
        sid, seq = token.session_id, token.claims.get("seq")
        if sid is None or type(seq) is not int:
            msg = "a refresh token without sid or seq"
            raise InvalidTokenError(msg)

        check_binding(token.claims, thumbprint)
        await self._refuse_revoked(token, sid)
        grant = await self.renewed_grant(token.subject, sid)
        rotation = await self._store.rotate(
            sid,
            seq,
            idle_ttl=self._policy.refresh_ttl,
            grace=self._policy.grace,
            client=_client_of(device, self._policy.retry_from),
            now=self._revoker.now(),
        )
        session = await self._judge(rotation, token, device)
        self._revoker.report(f"session.{rotation.outcome}", session.subject, sid)
        return Refreshed(session, session.claims if grant is None else grant)

    async def _refuse_revoked(self, token: VerifiedToken, sid: str) -> None:
        await self._revocations.ensure_fresh()
        try:
            self._revocations.check(
                token.issuer,
                session_id=sid,
                token_id=None,
                subject=token.subject,
                # Of "all" the session's own date decides: it is no whole second.
                issued_at=float("inf"),
            )
        except RevokedTokenError:
            # It was published and perhaps, after a crash, never closed.
            await self._store.close([sid], now=self._revoker.now())
            raise

    async def renewed_grant(self, subject: str, sid: str) -> Mapping[str, Any] | None:
        """Return the claims that a subject is granted now; ``None``: as at the log-in.

        Raises:
            UnknownSubjectError: The user is gone; the session is revoked.
            UnavailableError: The loader has failed; nothing has changed.
        """
        if self._claims_loader is None:
            return None

        grant = await self.granted(subject)
        if grant is None:
            await self._revoker.end([sid], "session.revoked", subject)
            raise UnknownSubjectError

        return grant.to_claims()

    @property
    def knows_users(self) -> bool:
        """Whether there is a loader, which knows who is gone."""
        return self._claims_loader is not None

    async def granted(self, subject: str) -> Grant | None:
        """Return what a subject is granted now; ``None``: it is gone or disabled.

        Raises:
            ConfigurationError: There is no loader, or it returns something else.
            UnavailableError: The loader has failed.
        """
        if self._claims_loader is None:
            msg = "What a user is granted now says the claims_loader: there is none."
            raise ConfigurationError(msg)

        grant: object = await _load(self._claims_loader, subject)
        if not is_user(grant):
            return None

        if not isinstance(grant, Grant):
            kind = type(grant).__name__
            msg = f"claims_loader must return a Grant, or None, and not a {kind}."
            raise ConfigurationError(msg)

        return grant

    async def _judge(
        self, rotation: Rotation, token: VerifiedToken, device: Device | None
    ) -> Session:
        """Return the session that goes on, or end it and raise."""
        session = rotation.session
        if session is None or session.revoked_at is not None:
            state = "unknown, or swept" if session is None else "revoked"
            msg = f"the session {token.session_id!r} is {state}"
            raise RevokedTokenError(msg)

        if (session.issuer, session.subject) != (token.issuer or "", token.subject):
            msg = "the session is somebody else's"
            raise InvalidTokenError(msg)

        # A refresh may run while everything is revoked: its new token is not spared.
        if session.created_at <= self._revocations.all_before(token.issuer):
            await self._revoker.end([session.sid], "session.revoked", session.subject)
            msg = "all sessions of the issuer were revoked"
            raise RevokedTokenError(msg)

        if rotation.outcome == "reused":
            sides = {"opened_by": session.device, "shown_by": device}
            detail = {side: asdict(value) for side, value in sides.items() if value}
            await self._revoker.end(
                [session.sid], "session.reused", session.subject, detail
            )
            msg = f"an older refresh token of the session {session.sid!r} came back"
            raise ReusedTokenError(msg)

        if rotation.outcome == "refused":
            is_counter = 0 <= token.claims["seq"] <= GREATEST_SEQ
            msg = f"the session {session.sid!r} has ended, or seq is ahead of it"
            raise (ExpiredTokenError if is_counter else InvalidTokenError)(msg)

        return session


async def _load(claims_loader: ClaimsLoader, subject: str) -> Grant | None:
    """Ask a loader; its failure says nothing about the user."""
    try:
        grant = claims_loader(subject)
        return await grant if isawaitable(grant) else grant
    except AsgiAuthError:
        raise
    except Exception as error:
        _logger.exception("claims_loader has failed: nothing is refreshed")
        msg = f"claims_loader has failed ({type(error).__name__})"
        raise UnavailableError(msg) from error


def _client_of(device: Device | None, retry_from: RetryFrom) -> str | None:
    """Return a digest of what stays the same of a client, or ``None``: unknown."""
    if device is None or retry_from == "anywhere":
        return None

    # Who sends no user agent is not whoever sends one.
    stable = [device.user_agent or ""]
    if retry_from == "network":
        stable.append(network_of(device.ip or ""))

    return sha256("\0".join(stable).encode("utf-8", "replace")).hexdigest()[:16]
