"""Sign tokens with any claims at all: also those that must be refused.

Good tokens for a client are easier to have from ``authenticated`` or ``as_user``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from secrets import token_bytes
from typing import Any, Literal, Protocol, get_args

from asgi_auth._encoding import b64url_encode, compact_json
from asgi_auth.errors import ConfigurationError
from asgi_auth.keys import Key, KeySet
from asgi_auth.sessions import TokenService
from asgi_auth.tokens.codec import peek

__all__ = ["TOKEN_FAULTS", "SignsTokens", "TokenFault", "mint_token"]

TokenFault = Literal[
    "expired",
    "foreign_key",
    "not_yet_valid",
    "refresh_token",
    "tampered",
    "unsigned",
    "wrong_audience",
    "wrong_issuer",
]

TOKEN_FAULTS: tuple[TokenFault, ...] = get_args(TokenFault)
"""What can be wrong with a token, to parametrise a test with."""

_HOUR = 3600
_SOMEBODY_ELSE = "https://somebody-else.invalid"


class SignsTokens(Protocol):
    """A ``TokenService`` or a ``FakeIssuer``."""

    @property
    def keys(self) -> KeySet:
        """What it signs with."""
        ...

    def mint(self, subject: str, *, scopes: Iterable[str] = ()) -> str:
        """Sign an access token."""
        ...


def mint_token(
    signer: SignsTokens | KeySet | Key | None = None,
    subject: str = "ada",
    *,
    fault: TokenFault | None = None,
    claims: Mapping[str, Any] | None = None,
    header: Mapping[str, Any] | None = None,
) -> str:
    """Sign an access token, good but for what is asked for.

    Args:
        signer: The application's ``TokenService`` or a ``FakeIssuer``, whose ``iss``,
            ``aud`` and clock then hold; keys alone, whose tokens have neither party;
            ``None``: a new, unknown key.
        subject: The ``sub``.
        fault: What is to be wrong: one of ``TOKEN_FAULTS``.
        claims: Claims to set, whichever they are; ``None`` takes one out.
        header: Members of the header to set; ``None`` takes one out.

    Raises:
        ConfigurationError: The fault is unknown, or the keys cannot sign.
    """
    if fault is not None and fault not in TOKEN_FAULTS:
        msg = f"fault must be one of {', '.join(TOKEN_FAULTS)}."
        raise ConfigurationError(msg)

    service = _service_of(signer)
    key = service.keys.signing_key
    parts = peek(service.mint(subject).encode("ascii"))
    if parts is None:  # pragma: no cover - it was written a moment ago
        msg = "The token cannot be read."
        raise ConfigurationError(msg)

    head, payload = ({**part} for part in parts)
    if fault in _SAID:
        payload |= _SAID[fault](payload)

    if fault == "refresh_token":
        head["typ"] = "rt+jwt"

    if fault == "unsigned":
        head["alg"] = "none"

    head, payload = _changed(head, header), _changed(payload, claims)
    if fault == "unsigned":
        return _encoded(head, payload) + "."

    return _sign(
        head, payload, _stranger(key) if fault == "foreign_key" else key, fault
    )


def _sign(
    head: Mapping[str, Any], payload: Mapping[str, Any], key: Key, fault: str | None
) -> str:
    signed_part = _encoded(head, payload)
    signature = b64url_encode(key.sign(signed_part.encode("ascii"))).decode("ascii")
    if fault == "tampered":
        signed_part = _encoded(head, {**payload, "roles": ["admin"], "tampered": True})

    return f"{signed_part}.{signature}"


def _encoded(head: Mapping[str, Any], payload: Mapping[str, Any]) -> str:
    parts = (b64url_encode(compact_json(dict(part))) for part in (head, payload))
    return b".".join(parts).decode("ascii")


def _service_of(signer: SignsTokens | KeySet | Key | None) -> SignsTokens:
    if isinstance(signer, KeySet):
        return TokenService(signer)

    if signer is None or isinstance(signer, Key):
        return TokenService(KeySet([signer or Key.generate("ES256")]))

    return signer


def _stranger(key: Key) -> Key:
    """Make another key that goes by the name of *key*."""
    if key.is_symmetric:
        return Key.from_secret(token_bytes(64), key.algorithm, kid=key.kid)

    return Key.generate(key.algorithm, kid=key.kid)


def _changed(
    payload: dict[str, Any], changes: Mapping[str, Any] | None
) -> dict[str, Any]:
    changed = {**payload, **(changes or {})}
    dropped = {name for name, value in (changes or {}).items() if value is None}
    return {name: value for name, value in changed.items() if name not in dropped}


def _shifted(seconds: float) -> Callable[[Mapping[str, Any]], dict[str, Any]]:
    def shift(payload: Mapping[str, Any]) -> dict[str, Any]:
        times = {name: payload[name] + seconds for name in ("iat", "exp")}
        return times | ({"nbf": times["iat"]} if seconds > 0 else {})

    return shift


_SAID: dict[str | None, Callable[[Mapping[str, Any]], dict[str, Any]]] = {
    # Farther than the greatest tolerance that a verifier takes.
    "expired": lambda claims: _shifted(-_HOUR - claims["exp"] + claims["iat"])(claims),
    "not_yet_valid": _shifted(_HOUR),
    "refresh_token": lambda _: {"type": "refresh", "aud": "urn:asgi-auth:refresh"},
    "wrong_audience": lambda _: {"aud": "somebody-else"},
    "wrong_issuer": lambda _: {"iss": _SOMEBODY_ELSE},
}
