"""An authenticator in Python: it makes passkeys and signs with them, rightly or not.

What it writes is by the tables of Web Authentication, and by nothing of the package.
"""

from __future__ import annotations

import json
import os
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass, field
from hashlib import sha256

import cbor2
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256

ORIGIN = "https://www.example.com"
RP_ID = "example.com"
PRESENT, VERIFIED, SYNCED, BACKED_UP, ATTESTED = 1, 4, 8, 16, 64


def encoded(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode()


def decoded(text: str) -> bytes:
    return urlsafe_b64decode(text + "==")


def number(value: int, size: int = 32) -> bytes:
    return value.to_bytes(size, "big")


def es256():
    key = ec.generate_private_key(ec.SECP256R1())
    point = key.public_key().public_numbers()
    cose = {1: 2, 3: -7, -1: 1, -2: number(point.x), -3: number(point.y)}
    return cose, lambda data: key.sign(data, ec.ECDSA(SHA256()))


def eddsa():
    key = ed25519.Ed25519PrivateKey.generate()
    cose = {1: 1, 3: -8, -1: 6, -2: key.public_key().public_bytes_raw()}
    return cose, key.sign


def rs256(size: int = 2048):
    key = rsa.generate_private_key(public_exponent=65537, key_size=size)
    public = key.public_key().public_numbers()
    cose = {1: 3, 3: -257, -1: number(public.n, size // 8), -2: b"\x01\x00\x01"}
    return cose, lambda data: key.sign(data, padding.PKCS1v15(), SHA256())


@dataclass
class Authenticator:
    """One passkey. What differs from an honest one is said in ``make`` and ``sign``."""

    origin: str = ORIGIN
    rp_id: str = RP_ID
    flags: int = PRESENT | VERIFIED
    algorithm: object = es256
    count: int = 0
    step: int = 0
    id: bytes = field(default_factory=lambda: os.urandom(32))
    handle: str = ""

    def __post_init__(self) -> None:
        self.cose, self._sign = self.algorithm()

    def client_data(self, kind: str, challenge: str, **more) -> bytes:
        data = {
            "type": f"webauthn.{kind}",
            "challenge": challenge,
            "origin": self.origin,
            "crossOrigin": False,
            **more,
        }
        return json.dumps(data).encode()

    def data(self, flags: int, tail: bytes = b"") -> bytes:
        head = sha256(self.rp_id.encode()).digest() + bytes([flags])
        return head + number(self.count, 4) + tail

    def make(self, options, *, statement=None, fmt="none", kind="create", **more):
        self.handle = options["user"]["id"]
        key = cbor2.dumps(self.cose)
        tail = bytes(16) + number(len(self.id), 2) + self.id + key
        content = {
            "fmt": fmt,
            "attStmt": statement or {},
            "authData": self.data(self.flags | ATTESTED, tail),
        }
        client = self.client_data(kind, options["challenge"], **more)
        return {
            "id": encoded(self.id),
            "rawId": encoded(self.id),
            "type": "public-key",
            "clientExtensionResults": {},
            "authenticatorAttachment": "platform",
            "response": {
                "clientDataJSON": encoded(client),
                "attestationObject": encoded(cbor2.dumps(content)),
                "transports": ["internal", "hybrid", "internal", 7, "<b>"],
            },
        }

    def sign(self, options, *, kind="get", handle=True, **more):
        self.count += self.step
        client = self.client_data(kind, options["challenge"], **more)
        data = self.data(self.flags)
        signature = self._sign(data + sha256(client).digest())
        response = {
            "clientDataJSON": encoded(client),
            "authenticatorData": encoded(data),
            "signature": encoded(signature),
        }
        if handle:
            response["userHandle"] = self.handle
        return {
            "id": encoded(self.id),
            "rawId": encoded(self.id),
            "type": "public-key",
            "clientExtensionResults": {},
            "response": response,
        }
