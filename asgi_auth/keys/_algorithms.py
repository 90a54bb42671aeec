"""The algorithms of RFC 7518, 8037 and 9864 that exist here, as one table.

There is no ``none``, no ES256K and no Ed448, and no setting can add one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from jwt.algorithms import Algorithm as Engine
from jwt.algorithms import get_default_algorithms

from asgi_auth.errors import ConfigurationError

__all__ = ["ALGORITHMS", "Algorithm", "KeyType", "find_algorithm"]

KeyType = Literal["oct", "RSA", "EC", "OKP"]
"""The ``kty`` of a JWK (RFC 7518, section 6.1; RFC 8037, section 2)."""


@dataclass(frozen=True, slots=True)
class Algorithm:
    """One signature algorithm.

    Attributes:
        name: What ``alg`` says in the header of a token that we sign.
        names: What ``alg`` may say in the header of a token that we verify.
        kty: The type of key that it takes.
        engine: PyJWT's implementation.
        digest: The hash of an HMAC, or of an RSA signature with the padding of PKCS #1
            v1.5, as :mod:`hashlib` calls it; else empty.
        curve: The ``crv`` of its keys; empty for RSA and HMAC.
        size: Length of a signature in bytes; 0 for RSA, where the key decides.
    """

    name: str
    names: frozenset[str]
    kty: KeyType
    engine: Engine
    digest: str = ""
    curve: str = ""
    size: int = 0


def _table() -> dict[str, Algorithm]:
    engines = get_default_algorithms()
    table = {}
    for bits in (256, 384, 512):
        name = f"HS{bits}"
        table[name] = Algorithm(
            name,
            frozenset({name}),
            "oct",
            engines[name],
            digest=f"sha{bits}",
            size=bits // 8,
        )

    for name in ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"):
        digest = f"sha{name[2:]}" if name.startswith("RS") else ""
        table[name] = Algorithm(
            name, frozenset({name}), "RSA", engines[name], digest=digest
        )

    for name, curve, size in (
        ("ES256", "P-256", 64),
        ("ES384", "P-384", 96),
        ("ES512", "P-521", 132),
    ):
        table[name] = Algorithm(
            name, frozenset({name}), "EC", engines[name], curve=curve, size=size
        )

    # RFC 9864, section 2.2: the same signature under a name that says the curve.
    edwards = frozenset({"EdDSA", "Ed25519"})
    for name in ("EdDSA", "Ed25519"):
        table[name] = Algorithm(
            name, edwards, "OKP", engines["EdDSA"], curve="Ed25519", size=64
        )

    return table


ALGORITHMS = _table()
"""Every supported algorithm by its name."""


def find_algorithm(name: object) -> Algorithm:
    """Look an algorithm up by its exact name.

    Raises:
        ConfigurationError: There is no such algorithm here.
    """
    algorithm = ALGORITHMS.get(name) if isinstance(name, str) else None
    if algorithm is not None:
        return algorithm

    text = repr(name[:32]) if isinstance(name, str) else type(name).__name__
    msg = f"The algorithm {text} is not supported: use one of {', '.join(ALGORITHMS)}."
    raise ConfigurationError(msg)
