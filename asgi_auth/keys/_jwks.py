"""Reads the public keys of another party: a JWK set (RFC 7517, section 5), or PEM.

What cannot be used is left out and reported; nothing of it is mended or guessed.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple

from asgi_auth.errors import ConfigurationError
from asgi_auth.keys._algorithms import ALGORITHMS, find_algorithm
from asgi_auth.keys._jwk import load_object
from asgi_auth.keys._material import PRIVATE_MEMBERS
from asgi_auth.keys.key import Key

__all__ = ["ASYMMETRIC", "PublicKeys", "read_jwk", "read_jwks", "read_pem"]

ASYMMETRIC = tuple(
    name for name, algorithm in ALGORITHMS.items() if algorithm.kty != "oct"
)
"""Every algorithm with a public key, in the order in which they are tried."""

_PEM = "-----BEGIN "
_SECRET = frozenset(name for names in PRIVATE_MEMBERS.values() for name in names)


class PublicKeys(NamedTuple):
    """What was found in a set.

    Attributes:
        keys: At least one.
        skipped: Why others were left out, one sentence each.
    """

    keys: tuple[Key, ...]
    skipped: tuple[str, ...]


def read_jwks(
    body: bytes,
    *,
    algorithms: Sequence[str] = ASYMMETRIC,
    issuers: Collection[str] = (),
    max_keys: int = 100,
) -> PublicKeys:
    """Read the keys that verify signatures.

    Args:
        body: The JSON text of a JWK set, or of an object with the PEM text of a public
            key or certificate under each ``kid``.
        algorithms: The accepted ones. A key that does not say its own gets the first
            that fits, so that each has exactly one (RFC 8725, section 3.1).
        issuers: Keys that name another one are left out; empty: none is.
        max_keys: Most keys that a set may hold.

    Raises:
        ConfigurationError: It is no JWK set, too large, or has no key of use.
    """
    entries = _entries(body)
    if entries is None or len(entries) > max_keys:
        msg = f'The answer is no JWK set: an array "keys" of at most {max_keys}.'
        raise ConfigurationError(msg)

    candidates: list[Key] = []
    skipped: list[str] = []
    for index, (kid, entry) in enumerate(entries):
        try:
            if kid is None:
                candidates.append(read_jwk(entry, algorithms, issuers))
            else:
                candidates.append(read_pem(entry, kid, algorithms))
        except ConfigurationError as error:
            skipped.append(f"key {index}: {error}")

    keys = _distinct(candidates, skipped)
    if not keys:
        msg = f"The JWK set has no key of use ({'; '.join(skipped)[:500] or 'empty'})."
        raise ConfigurationError(msg)

    return PublicKeys(keys, tuple(skipped))


def read_pem(text: object, kid: str, algorithms: Sequence[str] = ASYMMETRIC) -> Key:
    """Read the public key or the certificate that an issuer publishes as PEM.

    Args:
        text: The PEM text.
        kid: The name under which it was published.
        algorithms: The accepted ones, of which the key gets the first that fits.

    Raises:
        ConfigurationError: It is no public key, weak, or for no accepted algorithm.
    """
    if not isinstance(text, str):
        msg = "not PEM"
        raise ConfigurationError(msg)

    key = Key.from_pem(text, kid=kid)
    if key.is_private:
        msg = "a private key: whoever reads the answer can sign with it"
        raise ConfigurationError(msg)

    jwk = key.to_jwk()
    del jwk["alg"]
    return Key.from_jwk(jwk, _algorithm_of(jwk, algorithms))


def _entries(body: bytes) -> list[tuple[str | None, object]] | None:
    """Return what a text holds: JWKs without a name, or PEM under its kid."""
    try:
        members = load_object(body.decode("utf-8"))
    except UnicodeDecodeError:
        return None

    if isinstance(members.get("keys"), list):
        return [(None, entry) for entry in members["keys"]]

    is_pem = all(isinstance(text, str) and _PEM in text for text in members.values())
    return list(members.items()) if members and is_pem else None


def read_jwk(
    entry: object, algorithms: Sequence[str], issuers: Collection[str] = ()
) -> Key:
    """Read one public key; see :func:`read_jwks`.

    Raises:
        ConfigurationError: It is no public key, weak, or for no accepted algorithm.
    """
    if not isinstance(entry, Mapping):
        msg = "not a JSON object"
        raise ConfigurationError(msg)

    if entry.get("kty") == "oct":
        msg = "an HMAC secret, which is no public key"
        raise ConfigurationError(msg)

    if not _SECRET.isdisjoint(entry):
        msg = "a private key: whoever reads the set can sign with it"
        raise ConfigurationError(msg)

    if issuers and "issuer" in entry and entry["issuer"] not in [*issuers]:
        msg = "a key of another issuer"
        raise ConfigurationError(msg)

    return Key.from_jwk(entry, _algorithm_of(entry, algorithms))


def _algorithm_of(entry: Mapping[str, Any], algorithms: Sequence[str]) -> str:
    own = entry.get("alg")
    if not isinstance(own, str | None):
        msg = "its alg is no text"
        raise ConfigurationError(msg)

    accepted = [find_algorithm(name) for name in algorithms]
    for algorithm in accepted:
        if own is not None:
            fits = own in algorithm.names
        else:
            fits = entry.get("kty") == algorithm.kty and (
                not algorithm.curve or entry.get("crv") == algorithm.curve
            )

        if fits:
            return algorithm.name

    msg = f"for an algorithm or of a type that is not accepted: {(own or '')[:32]!r}"
    raise ConfigurationError(msg)


def _distinct(keys: list[Key], skipped: list[str]) -> tuple[Key, ...]:
    """Leave out all keys that share a name: it must be clear which one is meant.

    With another algorithm it is another name: issuers list one key for several.
    """
    by_name: dict[tuple[str, str], set[Key]] = {}
    for key in keys:
        by_name.setdefault((key.kid, key.algorithm), set()).add(key)

    for (kid, _), same in by_name.items():
        if len(same) > 1:
            skipped.append(f"{len(same)} keys have the kid {kid[:64]!r}")

    return tuple(next(iter(same)) for same in by_name.values() if len(same) == 1)
