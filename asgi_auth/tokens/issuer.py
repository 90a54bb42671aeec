"""Write tokens: the only module that decides what one says (RFC 9068, section 2.2).

It keeps nothing: a session, where there is one, is handed in.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from hashlib import sha256
from secrets import token_urlsafe
from typing import Any

from asgi_auth._encoding import b64url_encode
from asgi_auth.errors import ConfigurationError
from asgi_auth.keys import KeySet
from asgi_auth.stores.records import Session
from asgi_auth.tokens.claims import UserId, subject_of
from asgi_auth.tokens.codec import Codec
from asgi_auth.tokens.pair import TokenPair

__all__ = ["KINDS", "Kind", "TokenIssuer"]


class Kind:
    """How tokens of one kind differ from all others.

    Args:
        name: The value of the ``type`` claim.
        typ: The header's media type (RFC 8725, section 3.11).
        audience: The only audience; ``None``: the service's own. Other services
            check ``aud`` and not ``typ``, so these must not look like theirs.
    """

    __slots__ = ("audience", "name", "typ")

    def __init__(self, name: str, typ: str, audience: str | None) -> None:
        self.name: str = name
        self.typ: str = typ
        self.audience: str | None = audience


KINDS = {
    "access": Kind("access", "at+jwt", None),
    "refresh": Kind("refresh", "rt+jwt", "urn:asgi-auth:refresh"),
    "verify": Kind("verify", "verify+jwt", "urn:asgi-auth:verify"),
    "reset": Kind("reset", "reset+jwt", "urn:asgi-auth:reset"),
    "ticket": Kind("ticket", "ticket+jwt", "urn:asgi-auth:ticket"),
    "device": Kind("device", "device+jwt", "urn:asgi-auth:device"),
    "pending": Kind("pending", "pending+jwt", "urn:asgi-auth:pending"),
    "trust": Kind("trust", "trust+jwt", "urn:asgi-auth:trust"),
    "ceremony": Kind("ceremony", "ceremony+jwt", "urn:asgi-auth:ceremony"),
    "state": Kind("state", "state+jwt", "urn:asgi-auth:state"),
}


class TokenIssuer:
    """Writes and signs tokens of every kind.

    Args:
        keys: Sign access tokens.
        refresh_keys: Sign all other kinds.
        issuer: The ``iss``, or ``None``.
        audience: The ``aud`` of access tokens.
        client_id: The ``client_id`` of access tokens.
    """

    __slots__ = ("_access", "_audience", "_issuer", "_refresh", "client_id")

    def __init__(
        self,
        keys: KeySet,
        refresh_keys: KeySet,
        *,
        issuer: str | None,
        audience: str | Iterable[str] | None,
        client_id: str | None,
    ) -> None:
        self._access = Codec(keys)
        self._refresh = Codec(refresh_keys)
        self._issuer = issuer
        self._audience = _claim_of(audience)
        # RFC 9068 demands a client_id; without clients it is the service itself.
        first = (
            self._audience[0] if isinstance(self._audience, list) else self._audience
        )
        self.client_id: str | None = client_id or first

    def write(
        self,
        kind: Kind,
        subject: UserId,
        *,
        now: float,
        ttl: float,
        claims: Mapping[str, Any],
    ) -> str:
        """Sign a token of *kind*.

        Args:
            kind: One of ``KINDS``.
            subject: The ``sub``.
            now: The ``iat``, in Unix seconds.
            ttl: Seconds until ``exp``.
            claims: What else it says.

        Raises:
            ConfigurationError: The subject is no short, plain text, or the keys
                cannot sign.
        """
        payload = {
            "iss": self._issuer,
            "sub": subject_of(subject),
            "aud": kind.audience or self._audience,
            "exp": int(now + ttl),
            "iat": int(now),
            "jti": token_urlsafe(16),
            "type": kind.name,
            **claims,
        }
        if kind.audience is None:
            payload["client_id"] = self.client_id

        content = {name: value for name, value in payload.items() if value is not None}
        codec = self._access if kind.name == "access" else self._refresh
        return codec.encode(content, typ=kind.typ)

    def access(self, session: Session, grant: Mapping[str, Any], *, ttl: float) -> str:
        """Write the access token of a session, dated by the store's clock."""
        claims = {
            **grant,
            # Whatever is granted by now: a refresh never loosens it.
            "cnf": session.claims.get("cnf"),
            "sid": session.sid,
            "auth_time": int(session.auth_time),
            "acr": session.acr,
            "amr": list(session.amr) or None,
        }
        lifetime = min(ttl, session.expires_at - session.rotated_at)
        return self.write(
            KINDS["access"],
            session.subject,
            now=session.rotated_at,
            ttl=lifetime,
            claims=claims,
        )

    def refresh(self, session: Session) -> str:
        """Write the refresh token for the session's present counter.

        It depends on nothing but the row, so that a repeated refresh gives the same.
        """
        digest = sha256(f"{session.sid}|{session.seq}".encode()).digest()
        return self.write(
            KINDS["refresh"],
            session.subject,
            now=session.rotated_at,
            ttl=session.idle_expires_at - session.rotated_at,
            claims={
                "sid": session.sid,
                "seq": session.seq,
                "client_id": self.client_id,
                "cnf": session.claims.get("cnf"),
                "jti": b64url_encode(digest[:16]).decode(),
            },
        )

    def pair(
        self, session: Session, grant: Mapping[str, Any], *, ttl: float
    ) -> TokenPair:
        """Write both tokens of a session.

        Args:
            session: As it is now.
            grant: The claims of the access token.
            ttl: Seconds that an access token lives.
        """
        start = session.rotated_at
        return TokenPair(
            access_token=self.access(session, grant, ttl=ttl),
            refresh_token=self.refresh(session),
            expires_in=int(min(ttl, session.expires_at - start)),
            refresh_expires_in=int(session.idle_expires_at - start),
            scope=grant.get("scope", ""),
            token_type="DPoP" if session.claims.get("cnf") else "Bearer",
            session_id=session.sid,
        )


def _claim_of(audience: str | Iterable[str] | None) -> str | list[str] | None:
    if audience is None or isinstance(audience, str):
        return audience

    names = list(audience)
    if not names:
        msg = "audience must not be empty; None means that tokens have no aud."
        raise ConfigurationError(msg)

    return names[0] if len(names) == 1 else names
