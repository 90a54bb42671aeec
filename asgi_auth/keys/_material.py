"""What a key is made of, checked once: a secret, or the halves of a pair.

Weak material does not get past this module. Nothing here knows PEM or JSON.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TypeAlias

from cryptography.hazmat.primitives.asymmetric.ec import (
    EllipticCurvePrivateKey,
    EllipticCurvePublicKey,
)
from cryptography.hazmat.primitives.asymmetric.ed25519 import (
    Ed25519PrivateKey,
    Ed25519PublicKey,
)
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from asgi_auth._encoding import b64url_encode, compact_json
from asgi_auth.errors import ConfigurationError
from asgi_auth.keys._algorithms import ALGORITHMS, Algorithm, find_algorithm
from asgi_auth.keys._roca import is_roca
from asgi_auth.keys._strength import check_secret

__all__ = [
    "PRIVATE_MEMBERS",
    "PUBLIC_MEMBERS",
    "Material",
    "PrivateKey",
    "PublicKey",
    "pair_material",
    "secret_material",
]

PrivateKey: TypeAlias = RSAPrivateKey | EllipticCurvePrivateKey | Ed25519PrivateKey
PublicKey: TypeAlias = RSAPublicKey | EllipticCurvePublicKey | Ed25519PublicKey

PUBLIC_MEMBERS = {
    "oct": ("k", "kty"),
    "RSA": ("e", "kty", "n"),
    "EC": ("crv", "kty", "x", "y"),
    "OKP": ("crv", "kty", "x"),
}
"""What a thumbprint is made of, in its order (RFC 7638, section 3.2; RFC 8037)."""

PRIVATE_MEMBERS = {
    "oct": ("k",),
    "RSA": ("d", "p", "q", "dp", "dq", "qi"),
    "EC": ("d",),
    "OKP": ("d",),
}
"""What must not leave the process (RFC 7518, section 6)."""

_RSA_BITS = range(2048, 16_384 + 1)
_RSA_EXPONENTS = range(65_537, 2**64, 2)

_EC_ALGORITHMS = {"secp256r1": "ES256", "secp384r1": "ES384", "secp521r1": "ES512"}

# The y coordinates of the points of small order on edwards25519. A signature under
# such a key can be made by anybody, for any message, without a private key.
_P = 2**255 - 19
_Y8 = 0x05FC536D880238B13933C6D305ACDFD5F098EFF289F4C345B027B2C28F95E826
_SMALL_ORDER = frozenset({0, 1, _P - 1, _Y8, _P - _Y8})


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Material:
    """Checked material that is bound to one algorithm.

    Attributes:
        algorithm: What the material is used with, and nothing else.
        secret: The HMAC secret; ``None`` for a pair.
        public: The public half; ``None`` for a secret.
        private: The private half; ``None`` where there is none.
    """

    algorithm: Algorithm
    secret: bytes | None = None
    public: PublicKey | None = None
    private: PrivateKey | None = None

    @property
    def signature_size(self) -> int:
        """Length of every signature, in bytes (RFC 7518, section 3; RFC 8017, 8)."""
        if isinstance(self.public, RSAPublicKey):
            return (self.public.key_size + 7) // 8

        return self.algorithm.size

    def public_members(self) -> dict[str, str]:
        """Return the required members of a JWK, in the order of RFC 7638.

        For an HMAC secret the one required member is the secret itself.
        """
        return self._members(PUBLIC_MEMBERS[self.algorithm.kty], private=False)

    def private_members(self) -> dict[str, str]:
        """Return the private members of a JWK."""
        return self._members(PRIVATE_MEMBERS[self.algorithm.kty], private=True)

    def thumbprint(self) -> str:
        """Return the base64url SHA-256 of the required members (RFC 7638)."""
        digest = hashlib.sha256(compact_json(self.public_members())).digest()
        return b64url_encode(digest).decode()

    def _members(self, names: tuple[str, ...], *, private: bool) -> dict[str, str]:
        if self.secret is not None:
            jwk = {"kty": "oct", "k": b64url_encode(self.secret).decode()}
        else:
            half = self.private if private else self.public
            jwk = self.algorithm.engine.to_jwk(half, as_dict=True)

        return {name: jwk[name] for name in names}


def secret_material(algorithm: Algorithm, secret: str | bytes) -> Material:
    """Take an HMAC secret; of a text, its UTF-8 bytes.

    Raises:
        ConfigurationError: The secret is weak, or the algorithm wants a key pair.
    """
    if algorithm.kty != "oct":
        msg = (
            f"{algorithm.name} does not work with a secret: it needs a key pair "
            f"(Key.generate, Key.from_pem); secrets are for HS256, HS384 and HS512."
        )
        raise ConfigurationError(msg)

    data = _as_bytes(secret)
    check_secret(data, minimum=algorithm.size)
    return Material(algorithm, secret=data)


def pair_material(key: object, name: str | None) -> Material:
    """Take a private or public key object of ``cryptography``.

    Args:
        key: The key object.
        name: The algorithm; ``None`` takes the natural one, for RSA ``RS256``.

    Raises:
        ConfigurationError: The key is weak, or does not fit the algorithm.
    """
    natural, private, public = _sort(key)
    if isinstance(public, RSAPublicKey):
        _check_rsa(public)

    if isinstance(public, Ed25519PublicKey):
        _check_ed25519(public)

    algorithm = natural if name is None else find_algorithm(name)
    if (algorithm.kty, algorithm.curve) != (natural.kty, natural.curve):
        msg = (
            f"{algorithm.name} does not work with this key, which is "
            f"{natural.curve or natural.kty}: use {natural.name}, or another key."
        )
        raise ConfigurationError(msg)

    return Material(algorithm, public=public, private=private)


def _as_bytes(secret: str | bytes) -> bytes:
    if isinstance(secret, bytes):
        return secret

    try:
        return secret.encode("utf-8")
    except (AttributeError, UnicodeEncodeError):
        msg = "The secret must be bytes, or a text that has a UTF-8 form."

    raise ConfigurationError(msg)


def _sort(key: object) -> tuple[Algorithm, PrivateKey | None, PublicKey]:
    """Return the natural algorithm, the private half and the public half."""
    private: PrivateKey | None = None
    public = key
    if isinstance(key, (RSAPrivateKey, EllipticCurvePrivateKey, Ed25519PrivateKey)):
        private, public = key, key.public_key()

    if isinstance(public, RSAPublicKey):
        return ALGORITHMS["RS256"], private, public

    if isinstance(public, Ed25519PublicKey):
        return ALGORITHMS["EdDSA"], private, public

    if isinstance(public, EllipticCurvePublicKey):
        name = _EC_ALGORITHMS.get(public.curve.name)
        if name is not None:
            return ALGORITHMS[name], private, public

    msg = (
        "This type of key is not supported: use RSA, P-256, P-384, P-521 or Ed25519 "
        "(not Ed448, X25519, DSA or secp256k1)."
    )
    raise ConfigurationError(msg)


def _check_rsa(public: RSAPublicKey) -> None:
    numbers = public.public_numbers()
    if public.key_size not in _RSA_BITS:
        msg = (
            f"The RSA key has {public.key_size} bits: at least 2048 are needed "
            "(RFC 7518, section 3.3), at most 16384. "
            'Make a good key with Key.generate("RS256").'
        )
        raise ConfigurationError(msg)

    if numbers.e not in _RSA_EXPONENTS or numbers.n % 2 == 0:
        msg = (
            "The RSA key has an unsafe modulus or public exponent: use an odd exponent "
            'from 65537 up. Make a good key with Key.generate("RS256").'
        )
        raise ConfigurationError(msg)

    if is_roca(numbers.n):
        msg = (
            "The RSA key was made by a broken smart card (ROCA, CVE-2017-15361): its "
            'private half can be computed. Make a good key with Key.generate("RS256").'
        )
        raise ConfigurationError(msg)


def _check_ed25519(public: Ed25519PublicKey) -> None:
    raw = public.public_bytes(Encoding.Raw, PublicFormat.Raw)
    y = int.from_bytes(raw, "little") & (2**255 - 1)
    if y % _P in _SMALL_ORDER:
        msg = (
            "The Ed25519 key is a point of small order, under which anybody can sign. "
            'Make a good key with Key.generate("EdDSA").'
        )
        raise ConfigurationError(msg)
