"""Hear of log-outs at the identity provider (OpenID Connect Back-Channel Logout 1.0).

It passes them on to the store of revocations, which informs every process; tokens are
then refused by :class:`~asgi_auth.revocation.RevocationList`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qs

from asgi_auth._asgi import Receive, Scope, Send
from asgi_auth._clock import Clock, system_clock
from asgi_auth._encoding import compact_json
from asgi_auth.backends.trusted import TrustedIssuer
from asgi_auth.errors import ConfigurationError, InvalidTokenError, UnavailableError
from asgi_auth.stores.base import Store
from asgi_auth.stores.records import Revocation
from asgi_auth.tokens.claims import is_plain_text, names_of
from asgi_auth.tokens.codec import as_bytes, peek
from asgi_auth.tokens.foreign import as_text, is_empty

__all__ = ["BackChannelLogout"]

_EVENT = "http://schemas.openid.net/event/backchannel-logout"
_TYPES = frozenset({"logout+jwt", "jwt", ""})
_LONGEST_BODY = 16 * 1024
_OLDEST = 300.0
_SKEW = 60.0
_FARTHEST = 2**53
_IDS = ("sid", "sub", "jti")


class BackChannelLogout:
    """The endpoint that providers call when a user has logged out there.

    Mount it at the URL that is registered with the provider. Its answer is 200 where
    every process will hear of it, 400 for a bad token, 503 where the provider should
    try again.

    Args:
        trusted: The issuers that may call, by whose keys their tokens are verified.
        client_id: How this service is known to them: the ``aud`` of log-out tokens.
        store: Passes revocations on, and knows which tokens came; the one that the
            ``RevocationList`` reads.
        ttl: Seconds that the longest access token of the issuers lives.
        clock: Returns Unix seconds.

    Raises:
        ConfigurationError: There is no issuer, or no client_id.
    """

    def __init__(
        self,
        *trusted: TrustedIssuer,
        client_id: str,
        store: Store,
        ttl: float = 86400,
        clock: Clock = system_clock,
    ) -> None:
        if not trusted or not client_id or ttl <= 0:
            msg = "BackChannelLogout needs issuers, a client_id and a ttl above 0."
            raise ConfigurationError(msg)

        self._trusted = {issuer.issuer: issuer for issuer in trusted}
        self._client_id = client_id
        self._store = store
        self._ttl = ttl
        self._clock = clock

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Take one log-out token."""
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1000})
            return

        if scope["type"] != "http":
            return

        if scope["method"] != "POST":
            await _answer(send, 405, "invalid_request")
            return

        try:
            await self.log_out(_token_in(await _read(receive)))
        except InvalidTokenError:
            await _answer(send, 400, "invalid_request")
        except UnavailableError:
            await _answer(send, 503, "temporarily_unavailable")
        else:
            await _answer(send, 200, None)

    async def log_out(self, token: str) -> None:
        """Verify a log-out token (section 2.6), and revoke what it names.

        Raises:
            InvalidTokenError: It is none, or not for us.
            UnavailableError: It cannot be verified or passed on at the moment.
        """
        raw = as_bytes(token)
        claims = await self._verified(raw)
        issuer = claims["iss"]
        # Taken once it is passed on, and not before: a provider that has heard of an
        # outage tries again. Until then a repetition does no harm, by its date.
        space, name = f"logout {issuer}", claims["jti"]
        if not await self._store.once(space, name, ttl=0, now=self._clock()):
            return

        if "sid" in claims:
            entry = Revocation(kind="sid", issuer=issuer, value=claims["sid"])
        else:
            # Its sessions will not be named one by one.
            entry = Revocation(kind="whole_subject", issuer=issuer, value=claims["sub"])

        # As of its own date: played to another worker, it ends nothing newer.
        now = self._clock()
        at = min(float(claims["iat"]), now)
        await self._store.publish([entry], ttl=self._ttl + now - at, now=at)
        await self._store.once(space, name, ttl=_OLDEST + 2 * _SKEW, now=now)

    async def _verified(self, token: bytes) -> Mapping[str, Any]:
        parts = peek(token)
        issuer_claim = None if parts is None else parts[1].get("iss")
        issuer = (
            self._trusted.get(issuer_claim) if isinstance(issuer_claim, str) else None
        )
        if issuer is None:
            msg = "the log-out token is of no trusted issuer"
            raise InvalidTokenError(msg)

        token_parts = await issuer.decode(token)
        claims = _tidy(token_parts.claims)
        if token_parts.typ not in _TYPES or not self._is_good(
            claims, str(issuer_claim)
        ):
            msg = "that is no log-out token for this service"
            raise InvalidTokenError(msg)

        return claims

    def _is_good(self, claims: Mapping[str, Any], issuer: str) -> bool:
        if claims.get("iss") != issuer or "nonce" in claims:
            return False

        audience = claims.get("aud")
        # A text is one name, whatever is in it.
        names = {audience} if isinstance(audience, str) else names_of(audience)
        if self._client_id not in names:
            return False

        events = claims.get("events")
        if not isinstance(events, dict) or not isinstance(events.get(_EVENT), dict):
            return False

        texts = [claims[name] for name in ("sid", "sub") if name in claims]
        if not texts or not all(map(is_plain_text, [*texts, claims.get("jti")])):
            return False

        return self._is_fresh(claims)

    def _is_fresh(self, claims: Mapping[str, Any]) -> bool:
        now = self._clock()
        issued_at: Any = claims.get("iat")
        expires_at: Any = claims.get("exp")
        if not (_is_time(issued_at) and _is_time(expires_at)):
            return False

        return bool(-_SKEW <= now - issued_at <= _OLDEST and now < expires_at + _SKEW)


def _is_time(value: object) -> bool:
    """Say whether it is a NumericDate that can be calculated with."""
    return type(value) in {int, float} and -_FARTHEST < value < _FARTHEST  # type: ignore[operator]


def _tidy(claims: Mapping[str, Any]) -> dict[str, Any]:
    """Leave out what is empty, and write ids as texts, as in the issuer's tokens."""
    members = {name: value for name, value in claims.items() if not is_empty(value)}
    for name in members.keys() & _IDS:
        members[name] = as_text(members[name])

    return members


async def _read(receive: Receive) -> bytes:
    body = bytearray()
    while True:
        message = await receive()
        body += message.get("body", b"")
        if len(body) > _LONGEST_BODY or message["type"] == "http.disconnect":
            msg = "the body is too long, or has no end"
            raise InvalidTokenError(msg)

        if not message.get("more_body"):
            return bytes(body)


def _token_in(body: bytes) -> str:
    try:
        form = parse_qs(body.decode("ascii"), max_num_fields=16)
    except ValueError:
        form = {}

    tokens = form.get("logout_token", [])
    if len(tokens) != 1:
        msg = "there is not one logout_token"
        raise InvalidTokenError(msg)

    return tokens[0]


async def _answer(send: Send, status: int, error: str | None) -> None:
    body = b"" if error is None else compact_json({"error": error})
    headers = [
        (b"cache-control", b"no-store"),
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode("ascii")),
    ]
    if status == 405:  # noqa: PLR2004
        headers.append((b"allow", b"POST"))

    start = {"type": "http.response.start", "status": status, "headers": headers}
    await send(start)
    await send({"type": "http.response.body", "body": body})
