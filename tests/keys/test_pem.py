"""Keys from PEM text."""

from __future__ import annotations

import datetime as dt

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed448, rsa, x25519
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from asgi_auth.errors import ConfigurationError
from asgi_auth.keys import Key

RSA = rsa.generate_private_key(65_537, 2048)
P256 = ec.generate_private_key(ec.SECP256R1())
P384 = ec.generate_private_key(ec.SECP384R1())
P521 = ec.generate_private_key(ec.SECP521R1())
EDWARDS = Ed25519PrivateKey.generate()
PARAMETERS = b"""-----BEGIN EC PARAMETERS-----
BggqhkjOPQMBBw==
-----END EC PARAMETERS-----
"""
NATURAL = [(RSA, "RS256"), (P256, "ES256"), (P384, "ES384"), (P521, "ES512")]
NATURAL += [(EDWARDS, "EdDSA")]


def private(key, form=PrivateFormat.PKCS8, lock=None):
    lock = lock or NoEncryption()
    return key.private_bytes(Encoding.PEM, form, lock)


def public(key, form=PublicFormat.SubjectPublicKeyInfo):
    return key.public_key().public_bytes(Encoding.PEM, form)


def certificate(key):
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "issuer.example")])
    start = dt.datetime(2020, 1, 1, tzinfo=dt.UTC)
    builder = x509.CertificateBuilder(
        issuer_name=name,
        subject_name=name,
        public_key=key.public_key(),
        serial_number=1,
        not_valid_before=start,
        not_valid_after=start + dt.timedelta(days=1),
    )
    return builder.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM)


@pytest.mark.parametrize(("key", "algorithm"), NATURAL)
def test_the_algorithm_is_told_by_the_key(key, algorithm):
    signer = Key.from_pem(private(key))
    verifier = Key.from_pem(public(key).decode())
    assert signer.algorithm == verifier.algorithm == algorithm
    assert (signer.is_private, verifier.is_private) == (True, False)
    assert verifier.verify(b"message", signer.sign(b"message"))
    assert signer == verifier


@pytest.mark.parametrize(
    "pem",
    [
        private(RSA, PrivateFormat.TraditionalOpenSSL),
        private(P256, PrivateFormat.TraditionalOpenSSL),
        public(RSA, PublicFormat.PKCS1),
        PARAMETERS + private(P256, PrivateFormat.TraditionalOpenSSL),
        b"Bag Attributes: none\n" + private(P256),
        certificate(P256),
        certificate(RSA),
    ],
    ids=["rsa", "sec1", "pkcs1", "parameters", "bag", "ec-cert", "rsa-cert"],
)
def test_the_older_forms_are_read_too(pem):
    assert Key.from_pem(pem).algorithm in {"RS256", "ES256"}


@pytest.mark.parametrize("algorithm", ["RS512", "PS256", "PS384"])
def test_an_rsa_key_serves_the_algorithm_that_is_named(algorithm):
    key = Key.from_pem(private(RSA), algorithm, kid="named")
    assert (key.algorithm, key.kid) == (algorithm, "named")


def test_an_ed25519_key_may_go_by_its_newer_name():
    assert Key.from_pem(private(EDWARDS), "Ed25519").algorithm == "Ed25519"


@pytest.mark.parametrize(
    ("key", "algorithm", "advice"),
    [
        (P256, "ES384", "P-256: use ES256"),
        (P521, "ES256", "P-521: use ES512"),
        (P256, "RS256", "P-256: use ES256"),
        (P256, "HS256", "P-256: use ES256"),
        (RSA, "HS256", "RSA: use RS256"),
        (RSA, "EdDSA", "RSA: use RS256"),
        (EDWARDS, "ES256", "Ed25519: use EdDSA"),
    ],
)
def test_a_key_of_another_algorithm_is_refused(key, algorithm, advice):
    for pem in (private(key), public(key)):
        with pytest.raises(ConfigurationError, match=advice):
            Key.from_pem(pem, algorithm)


@pytest.mark.parametrize(
    "generate",
    [
        ed448.Ed448PrivateKey.generate,
        lambda: ec.generate_private_key(ec.SECP256K1()),
        lambda: ec.generate_private_key(ec.SECP224R1()),
        x25519.X25519PrivateKey.generate,
        lambda: dsa.generate_private_key(2048),
    ],
    ids=["ed448", "secp256k1", "p224", "x25519", "dsa"],
)
def test_other_types_of_key_are_refused(generate):
    key = generate()
    for pem in (private(key), public(key)):
        with pytest.raises(ConfigurationError, match="is not supported: use RSA"):
            Key.from_pem(pem)


@pytest.mark.filterwarnings("ignore::cryptography.utils.CryptographyDeprecationWarning")
def test_a_short_rsa_key_is_refused():
    pem = private(rsa.generate_private_key(65_537, 1024))
    with pytest.raises(ConfigurationError, match="1024 bits: at least 2048"):
        Key.from_pem(pem)


def test_a_small_rsa_exponent_is_refused():
    with pytest.raises(ConfigurationError, match="from 65537 up"):
        Key.from_pem(private(rsa.generate_private_key(3, 2048)))


@pytest.mark.parametrize("password", ["correct horse", b"correct horse"])
def test_an_encrypted_key_opens_with_its_password(password):
    pem = private(P256, lock=BestAvailableEncryption(b"correct horse"))
    assert Key.from_pem(pem, password=password).is_private


def test_an_encrypted_key_does_not_open_otherwise():
    pem = private(P256, lock=BestAvailableEncryption(b"correct horse"))
    with pytest.raises(ConfigurationError, match="give its password"):
        Key.from_pem(pem)
    with pytest.raises(ConfigurationError, match="password is wrong") as caught:
        Key.from_pem(pem, password="battery staple")
    assert "battery" not in str(caught.value)
    with pytest.raises(ConfigurationError, match="leave the password out"):
        Key.from_pem(private(P256), password="battery staple")


@pytest.mark.parametrize(
    ("pem", "advice"),
    [
        (b"", "holds 0 blocks"),
        ("not a pem \ud800", "holds 0 blocks"),
        (private(P256) + private(P384), "holds 2 blocks"),
        (private(P256) + public(P256), "holds 2 blocks"),
        (private(EDWARDS, PrivateFormat.OpenSSH), "ssh-keygen"),
        (b"-----BEGIN DH PARAMETERS-----\n", "neither a private key"),
        (b"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----", "damaged"),
        (b"-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----", "damaged"),
        (private(P256)[:-30], "damaged"),
        (None, "not NoneType"),
    ],
    ids=list("abcdefghij"),
)
def test_what_is_not_exactly_one_key_is_refused(pem, advice):
    with pytest.raises(ConfigurationError, match=advice) as caught:
        Key.from_pem(pem)
    assert caught.value.__context__ is None
