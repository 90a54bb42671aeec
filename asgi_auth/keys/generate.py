"""Makes new key material from the system's random source.

It never takes a seed, and never writes a file.
"""

from __future__ import annotations

import secrets

from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from asgi_auth.errors import ConfigurationError
from asgi_auth.keys._algorithms import find_algorithm
from asgi_auth.keys._material import (
    Material,
    PrivateKey,
    pair_material,
    secret_material,
)

__all__ = ["generate_material"]

_RSA_BITS = range(2048, 8192 + 1, 8)
_CURVES = {"P-256": ec.SECP256R1(), "P-384": ec.SECP384R1(), "P-521": ec.SECP521R1()}


def generate_material(name: str, *, bits: int | None = None) -> Material:
    """Make a new secret or a new key pair.

    Args:
        name: The algorithm.
        bits: Size of an RSA modulus, 2048 to 8192; ``None`` means 2048.

    Raises:
        ConfigurationError: The algorithm is unknown, or *bits* does not fit it.
    """
    algorithm = find_algorithm(name)
    if bits is not None and (algorithm.kty != "RSA" or bits not in _RSA_BITS):
        msg = (
            "bits is the size of an RSA key: give it only with RS and PS algorithms, "
            "as a multiple of 8 from 2048 to 8192."
        )
        raise ConfigurationError(msg)

    if algorithm.kty == "oct":
        return secret_material(algorithm, secrets.token_bytes(algorithm.size))

    return pair_material(_private_key(algorithm.curve, bits or 2048), algorithm.name)


def _private_key(curve: str, bits: int) -> PrivateKey:
    if not curve:
        return rsa.generate_private_key(public_exponent=65_537, key_size=bits)

    if curve == "Ed25519":
        return Ed25519PrivateKey.generate()

    return ec.generate_private_key(_CURVES[curve])
