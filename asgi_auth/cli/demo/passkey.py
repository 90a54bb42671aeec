"""The walk's user with a passkey: her authenticator is played here.

What it signs is by the tables of Web Authentication; nothing is asked of its user.
"""

from __future__ import annotations

import json
import secrets
from dataclasses import replace
from hashlib import sha256
from typing import Final

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256

from asgi_auth._encoding import b64url_encode
from asgi_auth.accounts import Account
from asgi_auth.cli.demo.step import Answer, Step
from asgi_auth.passkeys import Passkey, Passkeys
from asgi_auth.passkeys.ceremonies import Ceremonies
from asgi_auth.sessions import TokenService

__all__ = ["make_passkey_steps", "make_passkeys"]

_RP_ID: Final = "demo.example"
_ORIGIN: Final = "https://demo.example"
_PRESENT_AND_VERIFIED: Final = 0b101


def make_passkeys() -> Passkeys:
    """Return the passkeys of the walk, of which there is none yet."""
    return Passkeys(_RP_ID, [_ORIGIN])


async def make_passkey_steps(
    tokens: TokenService, passkeys: Passkeys, account: Account
) -> list[Step]:
    """Give *account* a passkey; return the steps of who logs in with it."""
    key = ec.generate_private_key(ec.SECP256R1())
    passkey = Passkey(
        id=secrets.token_urlsafe(32),
        subject=account.id,
        handle=secrets.token_urlsafe(32),
        public_key=_cose(key.public_key()),
    )
    await passkeys.store.add(passkey)
    ceremonies = Ceremonies(passkeys, tokens)
    good = _log_in(ceremonies, passkey, key)
    lured = _log_in(ceremonies, passkey, key, origin="https://demo.example.evil")
    refused = Answer(401, challenge="Bearer")
    return [
        replace(good, title="a passkey, and no name"),
        replace(good, title="the same answer once more", expected=refused),
        replace(lured, title="a passkey shown to a page like ours", expected=refused),
    ]


def _log_in(
    ceremonies: Ceremonies,
    passkey: Passkey,
    key: ec.EllipticCurvePrivateKey,
    *,
    origin: str = _ORIGIN,
) -> Step:
    """Return the step that answers a new question (section 6.3.3 and 5.8.1)."""
    question = ceremonies.begin_log_in()
    client = json.dumps(
        {
            "type": "webauthn.get",
            "challenge": question.options["challenge"],
            "origin": origin,
        }
    ).encode()
    flags = bytes([_PRESENT_AND_VERIFIED])
    data = sha256(_RP_ID.encode()).digest() + flags + bytes(4)
    signature = key.sign(data + sha256(client).digest(), ec.ECDSA(SHA256()))
    answer = {
        "clientDataJSON": _text(client),
        "authenticatorData": _text(data),
        "signature": _text(signature),
        "userHandle": passkey.handle,
    }
    names = {"id": passkey.id, "rawId": passkey.id, "type": "public-key"}
    body = {"credential": {**names, "response": answer}, "ceremony": question.token}
    headers = {"content-type": "application/json"}
    path, content = "/auth/passkeys/login", json.dumps(body)
    return Step("", Answer(200), "POST", path, headers=headers, body=content)


def _cose(key: ec.EllipticCurvePublicKey) -> bytes:
    """Return a key as a map of CBOR: EC2, ES256, P-256, x and y (RFC 9053, 7.1)."""
    point = key.public_numbers()
    x, y = (number.to_bytes(32, "big") for number in (point.x, point.y))
    return b"\xa5\x01\x02\x03\x26\x20\x01\x21\x58\x20" + x + b"\x22\x58\x20" + y


def _text(data: bytes) -> str:
    return b64url_encode(data).decode()
