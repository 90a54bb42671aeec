from __future__ import annotations

import base64
import datetime as dt
from functools import cache
from urllib.parse import quote

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from asgi_auth import AuthenticationMiddleware, ConfigurationError, JWTBackend
from asgi_auth.dpop import ClientCertificate
from tests import forge
from tests.asgi import Echo, bearer, run

PROXY = ("10.0.0.7", 40000)


@cache
def certificate(name="client"):
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    start = dt.datetime(2020, 1, 1, tzinfo=dt.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(start)
        .not_valid_after(start.replace(year=2050))
        .sign(key, hashes.SHA256())
    )


def thumbprint(name="client"):
    return forge.b64(certificate(name).fingerprint(hashes.SHA256())).decode()


def byte_sequence(name="client"):
    return b":" + base64.b64encode(certificate(name).public_bytes(Encoding.DER)) + b":"


def escaped_pem(name="client"):
    return quote(certificate(name).public_bytes(Encoding.PEM)).encode()


def token(name="client"):
    return forge.token("ES256", cnf={"x5t#S256": thumbprint(name)})


async def ask(sent, *values, peer=PROXY, header=b"Client-Cert", **options):
    policy = ClientCertificate(["10.0.0.0/24"], **options)
    backend = JWTBackend(forge.verifier("ES256"), confirmations=[policy])
    app = AuthenticationMiddleware(Echo(), backend, required=True)
    fields = [bearer(sent), *((header, value) for value in values)]
    answers = [await run(app, headers=fields, client=peer) for _ in range(2)]
    assert answers[0] == answers[1]
    return answers[0].status


@pytest.mark.parametrize("form", [byte_sequence, escaped_pem])
async def test_who_connects_with_the_certificate_gets_in(form):
    assert await ask(token(), form()) == 200
    assert await ask(token(), form("other")) == 401


async def test_the_header_may_have_another_name():
    other = {"header": b"x-ssl-cert"}
    policy = ClientCertificate(["unix"], header="X-SSL-Cert")
    backend = JWTBackend(forge.verifier("ES256"), confirmations=[policy])
    app = AuthenticationMiddleware(Echo(), backend, required=True)
    fields = [bearer(token()), (other["header"], byte_sequence())]
    assert (await run(app, headers=fields, client=None)).status == 200
    assert await ask(token(), byte_sequence(), **other) == 401


@pytest.mark.parametrize(
    "values",
    [
        [],
        [byte_sequence(), byte_sequence()],
        [b""],
        [b":"],
        [b"::"],
        [b":$$$:"],
        [b":AAA:"],
        [byte_sequence()[:-1]],
        [byte_sequence().replace(b":", b"")],
        [escaped_pem()[:-8]],
        [b"-----BEGIN CERTIFICATE-----%0A-----END CERTIFICATE-----"],
        [b"-----BEGIN CERTIFICATE-----%FF-----END CERTIFICATE-----"],
        [b"\xff"],
        [b":" + b"A" * 20_000 + b":"],
        [byte_sequence() + b";a=b"],
    ],
    ids=range(15),
)
async def test_a_certificate_that_is_none_is_refused(values):
    assert await ask(token(), *values) == 401


@pytest.mark.parametrize("peer", [("10.0.1.1", 1), ("192.0.2.1", 1), ("name", 1), None])
async def test_nobody_but_a_proxy_is_believed(peer):
    assert await ask(token(), byte_sequence(), peer=peer) == 401


@pytest.mark.parametrize("named", [None, 5, "", "ä", ["a"], {}])
async def test_a_thumbprint_of_another_shape_is_refused(named):
    sent = forge.token("ES256", cnf={"x5t#S256": named})
    assert await ask(sent, byte_sequence()) == 401


async def test_plain_tokens_go_on_unless_bound_ones_are_required():
    assert await ask(forge.token("ES256")) == 200
    assert await ask(forge.token("ES256"), byte_sequence(), required=True) == 401
    assert await ask(token(), byte_sequence(), required=True) == 200


@pytest.mark.parametrize("options", [{"trusted_proxies": []}, {"header": "a b"}])
def test_settings_that_would_trust_anybody_are_refused(options):
    with pytest.raises(ConfigurationError):
        ClientCertificate(**{"trusted_proxies": ["unix"], **options})
