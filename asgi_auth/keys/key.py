"""One key, for exactly one algorithm.

It never returns its private half, unless asked by a keyword that reads badly.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable, Mapping
from typing import Any, NoReturn, Self

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from jwt.algorithms import Algorithm as Engine

from asgi_auth.errors import ConfigurationError
from asgi_auth.keys._algorithms import find_algorithm
from asgi_auth.keys._jwk import can_sign, load_jwk, load_object
from asgi_auth.keys._mac import PreparedMAC
from asgi_auth.keys._material import (
    Material,
    pair_material,
    secret_material,
)
from asgi_auth.keys._pem import load_pem
from asgi_auth.keys._pkcs1 import PreparedPKCS1
from asgi_auth.keys.generate import generate_material

__all__ = ["Key"]

_MAX_KID = 256

_compare = hmac.compare_digest


class Key:
    """A secret, a key pair or a public key, bound to one algorithm (RFC 8725, 3.1).

    Make one with :meth:`generate`, :meth:`from_secret`, :meth:`from_pem` or
    :meth:`from_jwk`; weak material is refused there. A key never changes, may be
    copied, and cannot be pickled. Two keys are equal if their ``kid``, algorithm and
    thumbprint are.

    Attributes:
        algorithm: What ``alg`` says in the header of a token that it signs.
        algorithm_names: What ``alg`` may say in a token that it verifies: ``EdDSA``
            has a second name, ``Ed25519`` (RFC 9864).
        kid: Its name in headers and key sets; the thumbprint where none was given.
        is_named: Whether a kid was given.
        is_private: Whether it can sign.
        is_symmetric: Whether who verifies can also sign (HMAC).
    """

    __slots__ = (
        "__weakref__",
        "_check",
        "_engine",
        "_mac",
        "_material",
        "_size",
        "_thumbprint",
        "algorithm",
        "algorithm_names",
        "is_named",
        "is_private",
        "is_symmetric",
        "kid",
    )

    algorithm: str
    algorithm_names: frozenset[str]
    kid: str
    is_named: bool
    is_private: bool
    is_symmetric: bool

    _check: Callable[[bytes, bytes], bool]
    _engine: Engine
    _mac: Callable[[bytes], bytes] | None
    _material: Material
    _size: int
    _thumbprint: str

    def __init__(
        self, material: Material, *, kid: str | None = None, verify_only: bool = False
    ) -> None:
        """Wrap checked material; applications call one of the class methods.

        Args:
            material: What the key is made of.
            kid: Its name, 1 to 256 printable characters.
            verify_only: An HMAC secret that its owner does not want to sign with.

        Raises:
            ConfigurationError: The kid is not usable.
        """
        thumbprint = material.thumbprint()
        secret, digest = material.secret, material.algorithm.digest
        has_half = material.private is not None or material.secret is not None
        values = {
            "_check": _checker(material),
            "_engine": material.algorithm.engine,
            # The method itself: to call an object takes a detour.
            "_mac": None if secret is None else PreparedMAC(secret, digest).__call__,
            "_material": material,
            "_size": material.signature_size,
            "_thumbprint": thumbprint,
            "algorithm": material.algorithm.name,
            "algorithm_names": material.algorithm.names,
            "is_named": kid is not None,
            "is_private": has_half and not verify_only,
            "is_symmetric": material.secret is not None,
            "kid": thumbprint if kid is None else _checked_kid(kid),
        }
        for name, value in values.items():
            object.__setattr__(self, name, value)

    @classmethod
    def generate(
        cls,
        algorithm: str = "ES256",
        *,
        kid: str | None = None,
        bits: int | None = None,
    ) -> Self:
        """Make a new key from the system's random source.

        Args:
            algorithm: One of the supported algorithms.
            kid: The name of the key; by default its thumbprint.
            bits: Size of an RSA key, 2048 (default) to 8192.

        Raises:
            ConfigurationError: An argument does not fit; the text says which.
        """
        return cls(generate_material(algorithm, bits=bits), kid=kid)

    @classmethod
    def from_secret(
        cls, secret: str | bytes, algorithm: str = "HS256", *, kid: str | None = None
    ) -> Self:
        """Take an HMAC secret (RFC 7518, section 3.2).

        Args:
            secret: Random bytes, or a text whose UTF-8 bytes are the secret; at least
                as long as the hash: 32 bytes for HS256, 48 for HS384, 64 for HS512.
            algorithm: ``HS256``, ``HS384`` or ``HS512``.
            kid: The name of the key; by default its thumbprint.

        Raises:
            ConfigurationError: The secret is weak, famous or a key of another kind.
        """
        entry = find_algorithm(algorithm)
        return cls(secret_material(entry, secret), kid=kid)

    @classmethod
    def from_pem(
        cls,
        pem: str | bytes,
        algorithm: str | None = None,
        *,
        kid: str | None = None,
        password: str | bytes | None = None,
    ) -> Self:
        """Read a private key, a public key or the public key of a certificate.

        The dates and the issuer of a certificate are not looked at.

        Args:
            pem: The text (RFC 7468), holding exactly one key.
            algorithm: By default what the curve says, and ``RS256`` for RSA.
            kid: The name of the key; by default its thumbprint.
            password: For an encrypted private key.

        Raises:
            ConfigurationError: The key is unreadable, weak, or of another algorithm.
        """
        return cls(pair_material(load_pem(pem, password), algorithm), kid=kid)

    @classmethod
    def from_jwk(
        cls, jwk: Mapping[str, Any] | str, algorithm: str | None = None
    ) -> Self:
        """Read a JSON Web Key, private or public (RFC 7517); its ``kid`` is kept.

        Args:
            jwk: The key, or its JSON text.
            algorithm: Must agree with ``alg`` where the key has one; where neither is
                given, HMAC secrets are for ``HS256`` and RSA keys for ``RS256``.

        Raises:
            ConfigurationError: The key is malformed, weak, or not for signatures.
        """
        members = load_object(jwk)
        material = load_jwk(members, algorithm)
        return cls(material, kid=members.get("kid"), verify_only=not can_sign(members))

    def sign(self, message: bytes) -> bytes:
        """Return the signature of *message*, in the form of JWS (RFC 7518, section 3).

        Raises:
            ConfigurationError: The key can only verify.
        """
        if not self.is_private:
            msg = f"The key {self.kid!r} can only verify: sign with a private key."
            raise ConfigurationError(msg)

        if self._mac is not None:
            return self._mac(message)

        signature: bytes = self._engine.sign(message, self._material.private)
        return signature

    def mac(self, message: bytes) -> bytes:
        """Return the HMAC of *message*: what a good signature must be equal to.

        The caller compares in constant time, and does not hand it out.

        Raises:
            ConfigurationError: The key is a key pair, which has no MAC.
        """
        if self._mac is None:
            msg = f"The key {self.kid!r} is not an HMAC key: call verify() instead."
            raise ConfigurationError(msg)

        return self._mac(message)

    def verify(self, message: bytes, signature: bytes) -> bool:
        """Say whether *signature* is this key's for *message*; never raise over it."""
        if self._mac is not None:
            return _compare(self._mac(message), signature)

        return len(signature) == self._size and self._check(message, signature)

    def public(self) -> Key:
        """Return the same key without its private half.

        Raises:
            ConfigurationError: An HMAC key has no public half.
        """
        if self.is_symmetric:
            msg = (
                "An HMAC key has no public half: use a key pair, for instance "
                'Key.generate("ES256"), where others are to verify.'
            )
            raise ConfigurationError(msg)

        material = Material(self._material.algorithm, public=self._material.public)
        return Key(material, kid=self.kid if self.is_named else None)

    def to_jwk(self, *, insecure_private: bool = False) -> dict[str, Any]:
        """Return the JSON Web Key: its public half, unless asked (RFC 7517).

        Args:
            insecure_private: Add what signs. Whoever reads it can sign.

        Raises:
            ConfigurationError: There is no such half to return.
        """
        if insecure_private and not (self.is_private or self.is_symmetric):
            msg = f"The key {self.kid!r} has no private half: leave the keyword out."
            raise ConfigurationError(msg)

        if self.is_symmetric and not insecure_private:
            msg = (
                "An HMAC key has no public half: never publish it. To store it in a "
                "safe place, ask with insecure_private=True."
            )
            raise ConfigurationError(msg)

        jwk: dict[str, Any] = dict(self._material.public_members())
        jwk |= {"kid": self.kid, "use": "sig", "alg": self.algorithm}
        if insecure_private:
            jwk |= self._material.private_members()

        if self.is_symmetric and not self.is_private:
            jwk["key_ops"] = ["verify"]

        return jwk

    def thumbprint(self) -> str:
        """Return the base64url SHA-256 thumbprint (RFC 7638; RFC 8037, appendix A.3).

        That of an HMAC key is a hash of the secret, which is why secrets must be long
        and random (RFC 7638, section 7).
        """
        return self._thumbprint

    def __repr__(self) -> str:
        return (
            f"Key(kid={self.kid!r}, algorithm={self.algorithm!r}, "
            f"private={self.is_private}, material=***)"
        )

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Key):
            return NotImplemented

        return self._identity() == other._identity()

    def __hash__(self) -> int:
        return hash(self._identity())

    def _identity(self) -> tuple[str, str, str]:
        return (self.kid, self.algorithm, self._thumbprint)

    def __setattr__(self, name: str, value: object) -> NoReturn:
        msg = f"A key never changes: {name} cannot be set."
        raise AttributeError(msg)

    def __delattr__(self, name: str) -> NoReturn:
        msg = f"A key never changes: {name} cannot be deleted."
        raise AttributeError(msg)

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: object) -> Self:
        return self

    def __reduce__(self) -> NoReturn:
        msg = "A key is not pickled, so that its secret stays here: use to_jwk()."
        raise TypeError(msg)


def _checker(material: Material) -> Callable[[bytes, bytes], bool]:
    """Return what checks a signature of the right length."""
    algorithm, public = material.algorithm, material.public
    if isinstance(public, RSAPublicKey) and algorithm.digest:
        return PreparedPKCS1(public, algorithm.digest)

    return lambda message, signature: algorithm.engine.verify(
        message, public, signature
    )


def _checked_kid(kid: object) -> str:
    if isinstance(kid, str) and 0 < len(kid) <= _MAX_KID and kid.isprintable():
        return kid

    msg = f"A kid must be a text of 1 to {_MAX_KID} printable characters."
    raise ConfigurationError(msg)
