"""Recognise the RSA keys of broken smart cards (ROCA, CVE-2017-15361).

Their primes are powers of 65537 modulo a product of many small primes, and so is their
product: it shows in the public key, and the private key can be computed from it.
"""

from __future__ import annotations

from typing import Final

__all__ = ["is_roca"]

# All odd primes up to 167: those that the shortest of these keys have in their product.
_PRIMES: Final = tuple(
    number
    for number in range(3, 168, 2)
    if all(number % divisor for divisor in range(3, int(number**0.5) + 1, 2))
)
_GENERATOR: Final = 65_537


def _powers(prime: int) -> frozenset[int]:
    """Return the subgroup that the generator makes modulo *prime*."""
    powers, power = set(), 1
    while power not in powers:
        powers.add(power)
        power = power * _GENERATOR % prime

    return frozenset(powers)


_SUBGROUPS: Final = tuple((prime, _powers(prime)) for prime in _PRIMES)


def is_roca(modulus: int) -> bool:
    """Return whether an RSA modulus has the fingerprint.

    Of moduli made in another way, one in about 2^27 has it by chance.
    """
    return all(modulus % prime in powers for prime, powers in _SUBGROUPS)
