"""What everybody gets to verify: the same keys, claims, tokens and headers.

A token has about 400 bytes with HS256: sub, iss, aud, iat, exp, jti, type, roles.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from asgi_auth import KeySet

__all__ = ["ALGORITHMS", "AUDIENCE", "HEADERS", "ISSUER", "Material", "claims", "forge"]

ISSUER = "https://issuer.example"
AUDIENCE = "https://api.example"
ALGORITHMS = ("HS256", "RS256", "ES256", "EdDSA")

HEADERS = [
    (b"host", b"api.example"),
    (b"x-forwarded-for", b"203.0.113.7, 198.51.100.23"),
    (b"x-forwarded-proto", b"https"),
    (b"user-agent", b"Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Firefox/140.0"),
    (b"accept", b"application/json, text/plain, */*"),
    (b"accept-language", b"en-GB,en;q=0.8,de;q=0.5"),
    (b"accept-encoding", b"gzip, deflate, br, zstd"),
    (b"content-type", b"application/json"),
    (b"x-request-id", b"7f3c2b1e-9a4d-4c1f-8e57-0d2b6a91c3f4"),
    (b"traceparent", b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"),
    (b"connection", b"keep-alive"),
]
"""What a proxy passes on; with Authorization they are twelve."""

_PLACE = 8


def headers(authorization: bytes | None) -> list[tuple[bytes, bytes]]:
    """Return a fresh list of headers, as a server would make it."""
    fresh = HEADERS.copy()
    if authorization is not None:
        fresh.insert(_PLACE, (b"authorization", authorization))

    return fresh


def claims(age: float = 0) -> dict[str, Any]:
    """Return the claims of a user's token that was issued *age* seconds ago."""
    now = int(time.time() - age)
    return {
        "iss": ISSUER,
        "sub": str(uuid.uuid4()),
        "aud": AUDIENCE,
        "iat": now,
        "exp": now + 3600,
        "jti": uuid.uuid4().hex,
        "type": "access",
        "roles": ["reader", "editor", "admin"],
    }


def forge(token: str, other: str) -> str:
    """Return *token* under the signature of another one."""
    return token.rpartition(".")[0] + "." + other.rpartition(".")[2]


class Material:
    """Keys of one algorithm, in every form that somebody wants.

    Args:
        algorithm: One of :data:`ALGORITHMS`.
    """

    def __init__(self, algorithm: str) -> None:
        self.algorithm = algorithm
        self.secret = "m2Qd7u1sXk9vB4eTzR8wYc6nJ5hLpA3fGgViOoKq0tN"
        self.is_symmetric = algorithm == "HS256"

    @cached_property
    def private(self) -> Any:
        """The private key as an object of cryptography."""
        if self.algorithm == "RS256":
            return rsa.generate_private_key(public_exponent=65537, key_size=2048)
        if self.algorithm == "ES256":
            return ec.generate_private_key(ec.SECP256R1())

        return ed25519.Ed25519PrivateKey.generate()

    @cached_property
    def signing_key(self) -> Any:
        """What PyJWT signs with."""
        return self.secret if self.is_symmetric else self.private

    @cached_property
    def private_pem(self) -> str:
        """The private key as text; with HS256 the secret."""
        if self.is_symmetric:
            return self.secret

        return self.private.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        ).decode()

    @cached_property
    def verify_key(self) -> str:
        """What people configure to verify with: the secret, or the public PEM."""
        if self.is_symmetric:
            return self.secret

        return (
            self.private.public_key()
            .public_bytes(
                serialization.Encoding.PEM,
                serialization.PublicFormat.SubjectPublicKeyInfo,
            )
            .decode()
        )

    @cached_property
    def keys(self) -> KeySet:
        """The same keys for this library."""
        if self.is_symmetric:
            return KeySet.from_secret(self.secret)

        return KeySet.from_pem(self.private_pem, self.algorithm)

    def token(self, said: Mapping[str, Any] | None = None, *, age: float = 0) -> str:
        """Sign *said*, or the usual claims."""
        return jwt.encode(
            dict(claims(age) if said is None else said),
            self.signing_key,
            algorithm=self.algorithm,
            headers={"typ": "at+jwt"},
        )

    def tokens(
        self, count: int, adapt: Callable[[dict[str, Any]], Mapping[str, Any]]
    ) -> list[str]:
        """Sign *count* tokens of different users."""
        return [self.token(adapt(claims())) for _ in range(count)]

    def decode(self, token: str) -> dict[str, Any]:
        """Verify as the bare library does: what everything is compared to."""
        return jwt.decode(
            token,
            self.verify_key,
            algorithms=[self.algorithm],
            audience=AUDIENCE,
            issuer=ISSUER,
        )
