"""Keys of every family, and tokens that no good issuer would write."""

from __future__ import annotations

import base64
import hashlib
import json
import time
from dataclasses import fields
from functools import cache
from typing import Any, NamedTuple

import jwt

from asgi_auth import Key, KeySet, Principal, TokenVerifier
from asgi_auth.tokens import Verification

SECRET = hashlib.sha512(b"the secret of the tests").hexdigest()
OTHER_SECRET = hashlib.sha512(b"another secret of the tests").hexdigest()
ISSUER = "https://issuer.example"
AUDIENCE = "api"
NOW = 1_700_000_000
ALGORITHMS = ("HS256", "RS256", "ES256", "EdDSA")


class Family(NamedTuple):
    """One algorithm: our key, one that nobody trusts, and PyJWT's view of ours."""

    algorithm: str
    key: Key
    stranger: Key
    theirs: Any

    @property
    def keys(self) -> KeySet:
        return KeySet([self.key])


@cache
def family(algorithm: str) -> Family:
    if algorithm.startswith("HS"):
        key = Key.from_secret(SECRET, algorithm, kid="one")
        stranger = Key.from_secret(OTHER_SECRET, algorithm, kid="one")
        return Family(algorithm, key, stranger, SECRET)

    key = Key.generate(algorithm, kid="one")
    stranger = Key.generate(algorithm, kid="one")
    public = {**key.public().to_jwk(), "alg": algorithm}
    return Family(algorithm, key, stranger, jwt.PyJWK(public).key)


def b64(data: bytes) -> bytes:
    return base64.urlsafe_b64encode(data).rstrip(b"=")


def unb64(text: bytes) -> bytes:
    return base64.urlsafe_b64decode(text + b"=" * (-len(text) % 4))


def as_json(value: Any) -> bytes:
    return value if isinstance(value, bytes) else json.dumps(value).encode()


def sign(header: Any, payload: Any, key: Key) -> bytes:
    """Sign anything at all; bytes stand for themselves, all else becomes JSON."""
    signed = b64(as_json(header)) + b"." + b64(as_json(payload))
    return signed + b"." + b64(key.sign(signed))


def claims(now: float = NOW, **more: Any) -> dict[str, Any]:
    """Return the claims of a good access token; ``None`` takes one out."""
    said = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": "ada",
        "exp": int(now) + 600,
        "iat": int(now),
        "jti": "token-1",
        **more,
    }
    return {name: value for name, value in said.items() if value is not None}


def header(algorithm: str = "HS256", **more: Any) -> dict[str, Any]:
    said = {"alg": algorithm, "typ": "at+jwt", "kid": "one", **more}
    return {name: value for name, value in said.items() if value is not None}


def token(algorithm: str = "HS256", *, key: Key | None = None, **more: Any) -> bytes:
    """Write a good access token but for the claims in *more*."""
    signer = family(algorithm).key if key is None else key
    return sign(header(algorithm), claims(**more), signer)


def fresh(**more: Any) -> dict[str, Any]:
    """Return claims that are good at the present time of the machine."""
    return claims(time.time(), **more)


def recall(verifier: TokenVerifier, token: bytes) -> Principal | None:
    """Ask a verifier's memory, as a backend does before all else."""
    return verifier.recaller("jwt")(token)


_VERIFICATION = {field.name for field in fields(Verification)}


def verifier(algorithm: str = "HS256", **options: Any) -> TokenVerifier:
    """Make a verifier whose clock stands at ``NOW``, unless told otherwise."""
    names = [name for name in options if name in _VERIFICATION]
    chosen = {
        "issuer": ISSUER,
        "audience": AUDIENCE,
        "clock": lambda: NOW,
        "verification": Verification(**{name: options.pop(name) for name in names}),
        **options,
    }
    return TokenVerifier(family(algorithm).keys, **chosen)
