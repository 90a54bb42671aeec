"""Keys of broken smart cards (CVE-2017-15361) are refused."""

from __future__ import annotations

import secrets
from math import prod

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from asgi_auth import ConfigurationError, Key
from asgi_auth._encoding import b64url_encode
from asgi_auth.keys._roca import _PRIMES, is_roca

PRIMORIAL = 2 * prod(_PRIMES)


def broken_factor(bits):
    """Make a number as the cards made primes: k * M + (65537 ** a mod M)."""
    residue = pow(65_537, secrets.randbits(64), PRIMORIAL)
    lowest = (1 << (bits - 1)) // PRIMORIAL + 1
    return secrets.randbelow(lowest) * PRIMORIAL + lowest * PRIMORIAL + residue


def broken_modulus():
    # Whether the factors are primes does not show in the key.
    while (modulus := broken_factor(1024) * broken_factor(1024)).bit_length() < 2048:
        pass
    return modulus


def jwk_of(modulus):
    members = {"n": modulus, "e": 65_537}
    encoded = {
        name: b64url_encode(
            number.to_bytes((number.bit_length() + 7) // 8, "big")
        ).decode()
        for name, number in members.items()
    }
    return {"kty": "RSA", "alg": "RS256", **encoded}


@pytest.mark.parametrize("_", range(5))
def test_a_key_of_a_broken_card_is_refused(_):
    modulus = broken_modulus()
    assert is_roca(modulus)
    with pytest.raises(ConfigurationError, match="ROCA"):
        Key.from_jwk(jwk_of(modulus))


def test_other_keys_are_not():
    for _ in range(3):
        key = rsa.generate_private_key(65_537, 2048)
        modulus = key.public_key().public_numbers().n
        assert not is_roca(modulus)
        assert Key.from_jwk(jwk_of(modulus))
