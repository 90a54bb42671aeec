"""Reads JSON Web Keys (RFC 7517), strictly.

It refuses keys that are meant for something else than signatures, members that are
not canonical base64url, and halves that do not belong together.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from cryptography.exceptions import UnsupportedAlgorithm
from jwt.exceptions import InvalidKeyError

from asgi_auth._encoding import b64url_decode
from asgi_auth._frozen import parse_json
from asgi_auth.errors import ConfigurationError
from asgi_auth.keys._algorithms import ALGORITHMS, find_algorithm
from asgi_auth.keys._material import (
    PRIVATE_MEMBERS,
    PUBLIC_MEMBERS,
    Material,
    pair_material,
    secret_material,
)
from asgi_auth.keys._pem import load_chain

__all__ = ["can_sign", "load_jwk", "load_object"]

# SPIFFE's sets say of each key for which kind of its documents it is (JWT-SVID, 4).
_USES = ("sig", "jwt-svid")

_ENGINES = {
    "RSA": ALGORITHMS["RS256"].engine,
    "EC": ALGORITHMS["ES256"].engine,
    "OKP": ALGORITHMS["EdDSA"].engine,
}


def load_object(source: Mapping[str, Any] | str) -> Mapping[str, Any]:
    """Return a JSON object from its text, or as it is.

    Raises:
        ConfigurationError: It is not an object, or a member occurs twice.
    """
    value: Any = source
    if isinstance(source, str):
        try:
            value = parse_json(source, _unique)
        except (ValueError, RecursionError):
            value = None

    if not isinstance(value, Mapping):
        msg = "A JWK or JWKS must be one JSON object (RFC 7517), given as dict or text."
        raise ConfigurationError(msg)

    return value


def load_jwk(jwk: Mapping[str, Any], name: str | None) -> Material:
    """Return the checked material of a JWK.

    Args:
        jwk: The key.
        name: The algorithm; ``None`` takes the key's ``alg``, or the natural one.

    Raises:
        ConfigurationError: The key is malformed, weak, or not for signatures.
    """
    _check_purpose(jwk)
    name = _agreed_name(jwk.get("alg"), name)
    kty = jwk.get("kty")
    if kty == "oct":
        return secret_material(find_algorithm(name or "HS256"), _decode(jwk, "k"))

    if not isinstance(kty, str) or kty not in _ENGINES:
        msg = "The JWK has no known key type: kty must be oct, RSA, EC or OKP."
        raise ConfigurationError(msg)

    material = pair_material(_key_object(jwk, kty), name)
    if material.algorithm.kty != kty:
        msg = f"The certificate of the JWK holds another type of key than {kty}."
        raise ConfigurationError(msg)

    if can_sign(jwk):
        return material

    return Material(material.algorithm, public=material.public)


def can_sign(jwk: Mapping[str, Any]) -> bool:
    """Say whether the ``key_ops`` of a JWK allow signing (RFC 7517, section 4.3)."""
    return "sign" in jwk.get("key_ops", ("sign",))


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    # RFC 7517, section 4: member names must be unique. Parsers differ in which of
    # two they take, and a key must not depend on the parser.
    members = dict(pairs)
    if len(members) != len(pairs):
        msg = "a member occurs twice"
        raise ValueError(msg)

    return members


def _check_purpose(jwk: Mapping[str, Any]) -> None:
    if jwk.get("use", "sig") not in _USES:
        msg = 'The JWK is not for signatures: its use must be "sig" or be left out.'
        raise ConfigurationError(msg)

    operations = jwk.get("key_ops", ["verify"])
    if not isinstance(operations, (list, tuple)):
        msg = "The key_ops of a JWK must be an array (RFC 7517, section 4.3)."
        raise ConfigurationError(msg)

    is_private = "d" in jwk or jwk.get("kty") == "oct"
    if "verify" not in operations and not (is_private and "sign" in operations):
        msg = (
            'The JWK is not for signatures: its key_ops must hold "verify" (or "sign" '
            "for a private key), or be left out."
        )
        raise ConfigurationError(msg)


def _agreed_name(own: str | None, name: str | None) -> str | None:
    if own is None or name is None:
        return name if own is None else find_algorithm(own).name

    algorithm = find_algorithm(name)
    if find_algorithm(own).name not in algorithm.names:
        msg = (
            f"The JWK says that it is for {own}, and {name} was asked for: "
            "leave the algorithm out, or take another key."
        )
        raise ConfigurationError(msg)

    return algorithm.name


def _key_object(jwk: Mapping[str, Any], kty: str) -> object:
    if "oth" in jwk:
        msg = "RSA keys of more than two primes (oth) are not supported: use two."
        raise ConfigurationError(msg)

    if "x5c" in jwk and not _has_any(jwk, kty):
        return load_chain(jwk["x5c"])

    members = {"kty": kty, "crv": jwk.get("crv")}
    for name in PUBLIC_MEMBERS[kty] + PRIVATE_MEMBERS[kty]:
        if name not in members and (name in jwk or name in PUBLIC_MEMBERS[kty]):
            _decode(jwk, name)
            members[name] = jwk[name]

    key: object = None
    with suppress(InvalidKeyError, ValueError, TypeError, UnsupportedAlgorithm):
        key = _ENGINES[kty].from_jwk(members)

    # PyJWT asks for the latter since 2.15 only.
    is_half = kty == "OKP" and "d" in members and not _is_pair(key, members["x"])
    if key is None or is_half:
        msg = (
            "The JWK is not a valid key: a member is missing or malformed, its crv is "
            "not supported, or its halves do not belong together. Export it anew."
        )
        raise ConfigurationError(msg)

    return key


def _is_pair(private: Any, x: Any) -> bool:
    """Say whether a private key of RFC 8037 belongs to the public one in *x*."""
    if private is None:
        return False

    public: bytes = private.public_key().public_bytes_raw()
    return public == b64url_decode(x.encode())


def _has_any(jwk: Mapping[str, Any], kty: str) -> bool:
    """Say whether there is a member that the key itself is made of."""
    names = {*PUBLIC_MEMBERS[kty], *PRIVATE_MEMBERS[kty]} - {"kty", "crv"}
    return not names.isdisjoint(jwk)


def _decode(jwk: Mapping[str, Any], name: str) -> bytes:
    value = jwk.get(name)
    try:
        decoded = b64url_decode(value.encode()) if isinstance(value, str) else b""
    except ValueError:
        decoded = b""

    if not decoded:
        msg = (
            f"The member {name} of the JWK must be canonical base64url without "
            "padding (RFC 7515, section 2)."
        )
        raise ConfigurationError(msg)

    return decoded
