"""Forgeries that broke a library once: each is refused by an app as people write it."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import zlib

import pytest
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from asgi_auth import AuthenticationMiddleware, JWTBackend, Key, requires
from tests import forge
from tests.asgi import Echo, bearer, run

P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
ED25519_ORDER = 2**252 + 27742317777372353535851937790883648493


async def status_of(token, algorithm="ES256", **options):
    backend = JWTBackend(forge.verifier(algorithm, **options))
    app = AuthenticationMiddleware(requires()(Echo()), backend)
    for _ in range(2):
        answer = await run(app, headers=[bearer(token)])
    return answer.status


def parts_of(token):
    signed, _, signature = token.rpartition(b".")
    return signed, forge.unb64(signature)


def joined(signed, signature):
    return signed + b"." + forge.b64(signature)


@pytest.mark.parametrize("algorithm", forge.ALGORITHMS)
async def test_the_app_lets_a_good_token_in(algorithm):
    assert await status_of(forge.token(algorithm), algorithm) == 200


# CVE-2015-9235: the verifier believed the header about the algorithm.
@pytest.mark.parametrize("algorithm", forge.ALGORITHMS)
@pytest.mark.parametrize(
    "name", ["none", "None", "nOnE", "NONE", "none\x00", "", " none"]
)
@pytest.mark.parametrize("signature", [b"", b"AAAA", b"e30"])
async def test_unsigned(algorithm, name, signature):
    head = forge.b64(forge.as_json(forge.header(name)))
    body = forge.b64(forge.as_json(forge.claims()))
    token = b".".join([head, body, signature])
    assert await status_of(token, algorithm) == 401


# CVE-2022-29217, CVE-2023-48223, CVE-2026-34950: a public key, sniffed as PEM or not,
# served as the secret of an HMAC.
@pytest.mark.parametrize("algorithm", ["RS256", "ES256", "EdDSA"])
@pytest.mark.parametrize(
    ("encoding", "form"),
    [
        (Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
        (Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
        (Encoding.OpenSSH, PublicFormat.OpenSSH),
    ],
)
@pytest.mark.parametrize("space", [b"", b" ", b"\n"])
async def test_signed_with_the_public_key(algorithm, encoding, form, space):
    public = space + forge.family(algorithm).theirs.public_bytes(encoding, form)
    head = forge.b64(forge.as_json(forge.header("HS256")))
    signed = head + b"." + forge.b64(forge.as_json(forge.claims()))
    mac = hmac.new(public, signed, hashlib.sha256).digest()
    assert await status_of(joined(signed, mac), algorithm) == 401


# CVE-2018-0114: the token brought its own key along.
async def test_signed_with_a_key_in_the_header():
    stranger = forge.family("ES256").stranger
    jwk = stranger.public().to_jwk()
    for more in ({"jwk": jwk}, {"jwk": jwk, "kid": None}, {"jwk": jwk, "kid": "evil"}):
        header = forge.header("ES256", **more)
        assert await status_of(forge.sign(header, forge.claims(), stranger)) == 401


# CVE-2022-21449: for r = s = 0, every equation held.
@pytest.mark.parametrize("r", [0, 1, P256_ORDER, P256_ORDER - 1, 2**256 - 1])
@pytest.mark.parametrize("s", [0, 1, P256_ORDER, P256_ORDER - 1, 2**256 - 1])
async def test_degenerate_ecdsa_signatures(r, s):
    signed, _ = parts_of(forge.token("ES256"))
    signature = r.to_bytes(32, "big") + s.to_bytes(32, "big")
    assert await status_of(joined(signed, signature)) == 401


async def test_other_forms_of_a_good_ecdsa_signature():
    signed, raw = parts_of(forge.token("ES256"))
    r, s = int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:], "big")
    der = encode_dss_signature(r, s)
    padded = b"\x00" + raw[:32] + b"\x00" + raw[32:]
    for form in (der, padded, b"\x00\x00" + raw, raw + b"\x00\x00", raw[:-1], b""):
        assert await status_of(joined(signed, form)) == 401


async def test_the_second_form_of_an_ed25519_signature():
    signed, raw = parts_of(forge.token("EdDSA"))
    s = int.from_bytes(raw[32:], "little") + ED25519_ORDER
    twin = raw[:32] + s.to_bytes(32, "little")
    assert await status_of(joined(signed, twin), "EdDSA") == 401


async def test_other_lengths_of_a_good_rsa_signature():
    signed, raw = parts_of(forge.token("RS256"))
    for form in (b"\x00" + raw, raw + b"\x00", raw[1:], raw[:-1], b"", b"\x00" * 256):
        assert await status_of(joined(signed, form), "RS256") == 401


async def test_a_shortened_mac():
    signed, raw = parts_of(forge.token("HS256"))
    for length in (0, 1, 16, 31):
        assert await status_of(joined(signed, raw[:length]), "HS256") == 401
    assert await status_of(joined(signed, raw * 2), "HS256") == 401


async def test_the_mac_of_another_hash():
    for algorithm in ("HS384", "HS512"):
        other = Key.from_secret(forge.SECRET, algorithm, kid="one")
        for name in (algorithm, "HS256"):
            token = forge.sign(forge.header(name), forge.claims(), other)
            assert await status_of(token, "HS256") == 401


# The payload was not what the signature covered (RFC 7797), or was understood though
# the token said that it must not be (RFC 7515, section 4.1.11).
async def test_extensions_nobody_here_understands():
    key = forge.family("ES256").key
    for more in (
        {"crit": ["x"], "x": 1},
        {"crit": ["b64"], "b64": False},
        {"crit": []},
    ):
        token = forge.sign({**forge.header("ES256"), **more}, forge.claims(), key)
        assert await status_of(token) == 401


async def test_a_compressed_payload():
    bomb = zlib.compress(json.dumps(forge.claims()).encode() + b" " * 1_000_000)
    header = {**forge.header("ES256"), "zip": "DEF"}
    assert await status_of(forge.sign(header, bomb, forge.family("ES256").key)) == 401


async def test_an_encrypted_token_of_five_parts():
    head = forge.b64(b'{"alg":"dir","enc":"A256GCM"}')
    assert await status_of(head + b"..AAAA.AAAA.AAAA") == 401
    assert await status_of(forge.token("ES256") + b".AAAA.AAAA") == 401


async def test_the_json_serialisation():
    protected, payload, signature = forge.token("ES256").decode().split(".")
    flat = {"protected": protected, "payload": payload, "signature": signature}
    assert await status_of(json.dumps(flat).encode()) in {400, 401}
    encoded = base64.urlsafe_b64encode(json.dumps(flat).encode()).rstrip(b"=")
    assert await status_of(encoded) == 401


# CVE-2024-53861: a part of the issuer's name was enough; CVE-2025-30144: so was a
# list that held it.
@pytest.mark.parametrize(
    "issuer", [forge.ISSUER[:-1], forge.ISSUER + "x", "https", "", [forge.ISSUER], {}]
)
async def test_an_issuer_that_is_only_similar(issuer):
    assert await status_of(forge.token("ES256", iss=issuer)) == 401


@pytest.mark.parametrize(
    "audience", ["ap", "apis", "", ["ap", "i"], {"api": True}, [["api"]]]
)
async def test_an_audience_that_is_only_similar(audience):
    assert await status_of(forge.token("ES256", aud=audience)) == 401


@pytest.mark.parametrize(
    "kid",
    ["../../dev/null", "x' UNION SELECT 'key", "\x00", "http://evil.example/", ""],
)
async def test_a_name_of_a_key_that_leads_elsewhere(kid):
    header = forge.header("ES256", kid=kid)
    token = forge.sign(header, forge.claims(), forge.family("ES256").key)
    assert await status_of(token) == 401


async def test_a_payload_that_two_parsers_read_differently():
    text = json.dumps(forge.claims())[:-1]
    for more in (
        ',"sub":"root"}',
        ',"s\\u0075b":"root"}',
        ',"x":NaN}',
        ',"x":"\\ud800"}',
    ):
        token = forge.sign(
            forge.header("ES256"), (text + more).encode(), forge.family("ES256").key
        )
        assert await status_of(token) == 401


async def test_a_payload_that_is_no_object():
    for payload in (
        b"[]",
        b'"ada"',
        b"null",
        b"",
        json.dumps([forge.claims()]).encode(),
    ):
        token = forge.sign(forge.header("ES256"), payload, forge.family("ES256").key)
        assert await status_of(token) == 401


@pytest.mark.parametrize(
    "exp", ["1e999", "-1e999", "NaN", "Infinity", "true", '"9999999999"', "null", "[]"]
)
async def test_an_expiry_that_is_no_time(exp):
    text = json.dumps(forge.claims(exp=None))[:-1] + f',"exp":{exp}}}'
    token = forge.sign(forge.header("ES256"), text.encode(), forge.family("ES256").key)
    assert await status_of(token) == 401


@pytest.mark.parametrize(
    "more",
    [
        {"exp": None},
        {"sub": None},
        {"sub": ""},
        {"sub": 17},
        {"sub": ["ada"]},
        {"sub": "a\nb"},
        {"nonce": "n"},
        {"at_hash": "x"},
        {"events": {"http://schemas.openid.net/event/backchannel-logout": {}}},
        {"token_use": "id"},
        {"typ": "Refresh"},
        {"type": "refresh"},
    ],
    ids=str,
)
async def test_a_good_signature_under_something_that_is_no_access_token(more):
    assert await status_of(forge.token("ES256", **more)) == 401
