"""Reads the JWK set of somebody else (RFC 7517, section 5): public keys only.

What cannot be used is left out and told of; nothing of it is mended or guessed.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple

from asgi_auth.errors import ConfigurationError
from asgi_auth.keys._algorithms import ALGORITHMS, find_algorithm
from asgi_auth.keys._jwk import load_object
from asgi_auth.keys._material import PRIVATE_MEMBERS
from asgi_auth.keys.key import Key

__all__ = ["ASYMMETRIC", "PublicKeys", "read_jwks"]

ASYMMETRIC = tuple(name for name, found in ALGORITHMS.items() if found.kty != "oct")
"""Every algorithm with a public key, in the order in which they are tried."""

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
        body: The JSON text.
        algorithms: The accepted ones. A key that does not say its own gets the first
            that fits, so that each has exactly one (RFC 8725, section 3.1).
        issuers: Keys that name another one are left out; empty: none is.
        max_keys: Most keys that a set may hold.

    Raises:
        ConfigurationError: It is no JWK set, too large, or has no key of use.
    """
    try:
        entries = load_object(body.decode("utf-8")).get("keys")
    except UnicodeDecodeError:
        entries = None

    if not isinstance(entries, list) or len(entries) > max_keys:
        msg = f'The answer is no JWK set: an array "keys" of at most {max_keys}.'
        raise ConfigurationError(msg)

    found: list[Key] = []
    skipped: list[str] = []
    for index, entry in enumerate(entries):
        try:
            found.append(_read(entry, algorithms, issuers))
        except ConfigurationError as error:
            skipped.append(f"key {index}: {error}")

    keys = _distinct(found, skipped)
    if not keys:
        msg = f"The JWK set has no key of use ({'; '.join(skipped)[:500] or 'empty'})."
        raise ConfigurationError(msg)

    return PublicKeys(keys, tuple(skipped))


def _read(entry: object, algorithms: Sequence[str], issuers: Collection[str]) -> Key:
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
    """Leave out all keys that share a name: it must be clear which one is meant."""
    by_kid: dict[str, set[Key]] = {}
    for key in keys:
        by_kid.setdefault(key.kid, set()).add(key)

    for kid, same in by_kid.items():
        if len(same) > 1:
            skipped.append(f"{len(same)} keys have the kid {kid[:64]!r}")

    return tuple(next(iter(same)) for same in by_kid.values() if len(same) == 1)
