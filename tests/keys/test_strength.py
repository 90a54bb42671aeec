"""What an HMAC secret must not be."""

from __future__ import annotations

import base64
import json
import random
import secrets

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from hypothesis import given
from hypothesis import strategies as st
from jwt.algorithms import HMACAlgorithm
from jwt.exceptions import InvalidKeyError

from asgi_auth.errors import ConfigurationError
from asgi_auth.keys._strength import RECIPE, check_secret

PAIR = ec.generate_private_key(ec.SECP256R1())
PUBLIC = PAIR.public_key()
SPKI = PUBLIC.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
SPKI_DER = PUBLIC.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
PKCS8 = PAIR.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
PKCS8_DER = PAIR.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
LOCKED_DER = PAIR.private_bytes(
    Encoding.DER, PrivateFormat.PKCS8, BestAvailableEncryption(b"password")
)
OPENSSH = Ed25519PrivateKey.generate()
OPENSSH_PUBLIC = OPENSSH.public_key().public_bytes(
    Encoding.OpenSSH, PublicFormat.OpenSSH
)
OPENSSH_PRIVATE = OPENSSH.private_bytes(
    Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()
)
JWK = json.dumps({"kty": "oct", "k": secrets.token_urlsafe(32)}).encode()
ESCAPED_JWK = json.dumps({"x": 1, "k": "v" * 40}).replace("x", "\\u006bty").encode()


def refusal(secret: bytes, minimum: int = 32) -> str:
    with pytest.raises(ConfigurationError) as caught:
        check_secret(secret, minimum=minimum)
    return str(caught.value)


@pytest.mark.parametrize("minimum", [32, 48, 64])
def test_random_secrets_of_every_form_are_accepted(minimum):
    for _ in range(300):
        check_secret(secrets.token_bytes(minimum), minimum=minimum)
        check_secret(secrets.token_urlsafe(minimum).encode(), minimum=minimum)
        check_secret(secrets.token_hex(minimum).encode(), minimum=minimum)
        check_secret(base64.b64encode(secrets.token_bytes(64)), minimum=minimum)


def test_a_passphrase_of_uncommon_words_is_accepted():
    check_secret(b"a diesel wombat hums quietly beyond nine lemon orchards", minimum=32)


@pytest.mark.parametrize("minimum", [32, 48, 64])
def test_a_secret_shorter_than_the_hash_is_refused_with_both_lengths(minimum):
    text = refusal(secrets.token_bytes(minimum - 1), minimum)
    assert f"has {minimum - 1} bytes" in text
    assert f"at least {minimum}" in text
    check_secret(secrets.token_bytes(minimum), minimum=minimum)


@pytest.mark.parametrize("blank", [b"", b" " * 64, b"\t\r\n" * 30, b"\0" * 64])
def test_a_blank_secret_is_refused(blank):
    assert "blank" in refusal(blank)


def test_seven_different_bytes_are_too_few_and_eight_are_enough():
    seven = b"\x10\x9f\x33\xe7\x01\x5a\xc4"
    mixed = bytes(seven[i * i % 7] for i in range(25)) + seven + b"\x10"
    assert "fewer than 8 different bytes" in refusal(mixed + b"\x33\x33")
    check_secret(mixed + b"\x77", minimum=32)


@pytest.mark.parametrize("period", [8, 16, 31])
def test_a_short_pattern_is_refused_however_often_it_is_repeated(period):
    pattern = bytes(random.sample(range(256), period))
    assert "pattern" in refusal((pattern * 20)[:97])


def test_a_pattern_that_is_itself_long_enough_is_accepted():
    check_secret(secrets.token_bytes(32) * 2, minimum=32)


@pytest.mark.parametrize(
    "run",
    [
        bytes(range(32)),
        bytes(range(200, 120, -1)),
        b"abcdefghijklmnopqrstuvwxyz0123456789",
    ],
)
def test_a_run_of_consecutive_characters_is_refused(run):
    assert "consecutive" in refusal(run)


@pytest.mark.parametrize(
    "famous",
    [
        b"09d25e094faa6ca2556c818166b7a9563b93f7099f6f0f4caa6cf63b88e8d3e7",
        b"3456789876trfvbj8765rfvbnjurse4567890987ytgv",
        b"a-string-secret-at-least-256-bits-long",
        b"Super-Secret-Key-That-Is-LONG",
        b"  your-256-bit-secret\n",
        b"\xef\xbb\xbfyour-512-bit-secret",
    ],
)
def test_a_famous_secret_is_refused_in_any_case_and_wrapping(famous):
    text = refusal(famous)
    assert "everybody" in text
    assert famous.decode().strip().lower() not in text.lower()


@pytest.mark.parametrize(
    "placeholder",
    [
        b"change-me-to-something-please-1234567890"[:18],
        b"your-super-secret-jwt-signing-key-please-change-in-production-2024",
        b"REPLACE_THIS_WITH_A_LONG_RANDOM_STRING",
        b"secretsecretsecretkeykeykey-secret-token!",
    ],
)
def test_a_secret_of_placeholder_words_is_refused(placeholder):
    assert "everybody tries first" in refusal(placeholder)


def test_placeholder_words_beside_enough_randomness_do_no_harm():
    check_secret(b"my-secret-key-" + secrets.token_hex(16).encode(), minimum=32)


@pytest.mark.parametrize("wrap", [b"%s", b" \n\t%s", b"\xef\xbb\xbf%s", b"# key\n%s\n"])
@pytest.mark.parametrize(
    "text",
    [
        SPKI,
        PKCS8,
        OPENSSH_PRIVATE,
        OPENSSH_PUBLIC,
        SPKI.replace(b"\n", b"\\n"),
        SPKI.replace(b"PUBLIC KEY", b"CERTIFICATE"),
        b"sk-" + OPENSSH_PUBLIC.replace(b" ", b"@openssh.com ", 1),
    ],
    ids=["spki", "pkcs8", "openssh", "ssh", "one-line", "certificate", "token"],
)
def test_the_text_of_an_asymmetric_key_is_refused(wrap, text):
    assert "Key.from_pem" in refusal(wrap % text)


@pytest.mark.parametrize("der", [SPKI_DER, PKCS8_DER, LOCKED_DER], ids=list("abc"))
def test_a_der_key_is_refused_raw_and_as_base64(der):
    assert "DER" in refusal(der)
    assert "DER" in refusal(base64.b64encode(der))
    assert "DER" in refusal(b"\n" + base64.encodebytes(der))


@pytest.mark.parametrize(
    "text",
    [
        JWK,
        b"\xef\xbb\xbf " + JWK,
        b'{"keys": [' + JWK + b"]}",
        b"# a comment, then " + JWK,
        ESCAPED_JWK,
        json.dumps({"some": "other json", "with": 1}).encode(),
        b"[" * 100_000 + b'"12345678"' + b"]" * 100_000,
    ],
    ids=["jwk", "bom", "jwks", "comment", "escaped", "other", "deep"],
)
def test_json_is_refused(text):
    assert "JSON" in refusal(text)


def test_a_secret_that_only_begins_like_json_is_accepted():
    check_secret(b"{" + secrets.token_bytes(40), minimum=32)


def test_what_only_pyjwt_recognises_is_refused_too():
    wide = JWK.decode().encode("utf-16")
    try:
        HMACAlgorithm(HMACAlgorithm.SHA256).prepare_key(wide)
    except InvalidKeyError:
        assert "another kind" in refusal(wide)
    else:
        assert jwt.__version__ < "2.14"  # Since then it does.


@given(st.binary(min_size=1, max_size=120))
def test_it_is_never_looser_than_pyjwt_and_never_fails_otherwise(secret):
    try:
        check_secret(secret, minimum=32)
    except ConfigurationError:
        return
    assert HMACAlgorithm(HMACAlgorithm.SHA256).prepare_key(secret) == secret


@pytest.mark.parametrize(
    "secret", [b"zQ8!vN2@kL5#", JWK, SPKI, b"Xy7pQ2mK" * 9], ids=list("abcd")
)
def test_a_refusal_names_the_recipe_and_never_the_secret(secret):
    text = refusal(secret)
    assert RECIPE in text
    assert secret.decode() not in text
