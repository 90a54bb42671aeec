"""The worked examples of the RFCs."""

from __future__ import annotations

import json
from pathlib import Path

import jwt
import pytest

from asgi_auth._encoding import b64url_decode
from asgi_auth.keys import Key

FOLDER = Path(__file__).parent.parent / "vectors"
FILES = ("rfc7515.json", "rfc7520.json", "rfc8037.json")
SIGNED = [
    vector for name in FILES for vector in json.loads((FOLDER / name).read_bytes())
]
THUMBPRINTS = json.loads((FOLDER / "thumbprints.json").read_bytes())


def source(vector):
    return vector["source"]


def parts(vector):
    return vector["signing_input"].encode(), b64url_decode(vector["signature"].encode())


@pytest.mark.parametrize("vector", SIGNED, ids=source)
def test_the_printed_signature_is_accepted_and_any_other_is_not(vector):
    key = Key.from_jwk(vector["jwk"], vector["algorithm"])
    message, signature = parts(vector)
    assert key.verify(message, signature)
    assert not key.verify(message + b"x", signature)
    assert not key.verify(message, signature[:-1] + bytes([signature[-1] ^ 1]))


@pytest.mark.parametrize("vector", SIGNED, ids=source)
def test_the_printed_key_makes_the_printed_signature(vector):
    key = Key.from_jwk(vector["jwk"], vector["algorithm"])
    message, signature = parts(vector)
    made = key.sign(message)
    assert key.verify(message, made)
    assert (made == signature) is vector["deterministic"]


@pytest.mark.parametrize("vector", SIGNED, ids=source)
def test_pyjwt_accepts_the_printed_signature_as_well(vector):
    private = {"d", "p", "q", "dp", "dq", "qi"}
    public = {name: vector["jwk"][name] for name in vector["jwk"].keys() - private}
    token = f"{vector['signing_input']}.{vector['signature']}"
    name = vector["algorithm"]
    assert jwt.PyJWS().decode(token, jwt.PyJWK(public, name), algorithms=[name])


@pytest.mark.parametrize("vector", THUMBPRINTS, ids=source)
def test_the_thumbprint_is_the_printed_one(vector):
    key = Key.from_jwk(vector["jwk"])
    assert key.thumbprint() == vector["thumbprint"]
    assert key.kid == vector["jwk"].get("kid", vector["thumbprint"])
