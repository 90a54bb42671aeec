"""Outages of an issuer, bad answers and slow endpoints."""

from __future__ import annotations

import asyncio
import json
import socket
import ssl
import time
import tracemalloc
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from asgi_auth import (
    MissingExtraError,
    UnavailableError,
)
from asgi_auth._drivers.causes import cause_of
from asgi_auth.keys import Transport
from asgi_auth.keys.jwks import JWKSClient
from tests.idp.issuer import new_key, public

FAULTS = ["500", "404", "204", "redirect", "html", "bomb", "endless", "huge"]


@pytest.mark.parametrize("fault", FAULTS)
async def test_a_bad_answer_is_an_outage_and_changes_nothing(
    client, realm, clock, fault
):
    keys = await client.ready()
    before = {*keys}
    realm.fault = fault
    with pytest.raises(UnavailableError):
        await client.seek("unknown", "ES256")
    assert {*keys} == before
    assert client.stats().failures == 1


async def pour(reader, writer):
    """Answer with 100 MB, as fast as they are taken."""
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    piece = b"10000\r\n" + b" " * 65536 + b"\r\n"
    try:
        for _ in range(1600):
            writer.write(piece)
            await writer.drain()
    except OSError:
        pass
    finally:
        writer.close()


async def test_a_set_of_100_mb_costs_less_than_1_mib():
    server = await asyncio.start_server(pour, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    client = JWKSClient(
        f"http://127.0.0.1:{port}/jwks", transport=Transport(timeout=10)
    )
    with pytest.raises(UnavailableError):
        await client.ready()  # Whatever is loaded once is loaded now.
    tracemalloc.start()
    try:
        with pytest.raises(UnavailableError):
            await client.seek("unknown", "ES256")
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
        server.close()
        await client.aclose()
    assert peak < 1024 * 1024


async def longest_stall(work) -> float:
    """Return for how long the event loop stood still at worst, in seconds."""
    worst = 0.0

    async def watch():
        nonlocal worst
        while True:
            began = time.perf_counter()
            await asyncio.sleep(0.005)
            worst = max(worst, time.perf_counter() - began - 0.005)

    watching = asyncio.create_task(watch())
    await work()
    watching.cancel()
    return worst


async def assert_stalls_nobody(work):
    """Try three times: on a busy machine the loop itself may get no core."""
    stalls = []
    for _ in range(3):
        stalls.append(await longest_stall(work))
        if stalls[-1] < 0.05:
            return
    pytest.fail(f"the event loop stood still for {stalls} s")


@pytest.mark.parametrize("fault", ["slow", "drip"])
async def test_a_slow_endpoint_stalls_nobody(realm, fault):
    realm.fault = fault

    async def ask():
        client = JWKSClient(realm.jwks_uri, transport=Transport(timeout=0.3))
        began = time.perf_counter()
        with pytest.raises(UnavailableError):
            await client.ready()
        assert time.perf_counter() - began < 2

    await assert_stalls_nobody(ask)


async def test_a_hundred_rsa_keys_stall_nobody(realm):
    jwk = public(new_key("RS256"), alg="RS256")
    realm.jwks = {"keys": [{**jwk, "kid": f"k{number}"} for number in range(100)]}

    async def ask():
        assert len(await JWKSClient(realm.jwks_uri).ready()) == 100

    await assert_stalls_nobody(ask)


async def test_the_first_look_at_the_certificates_stalls_nobody(free_port):
    async def ask():
        with pytest.raises(UnavailableError):
            await JWKSClient(f"https://127.0.0.1:{free_port}/jwks").ready()

    await assert_stalls_nobody(ask)


async def test_a_certificate_that_nobody_vouches_for_is_an_outage(tmp_path, caplog):
    """Nothing is fetched over TLS that could be anybody's."""
    certificate = self_signed(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    asked = []

    async def serve(reader, writer):
        asked.append(await reader.read(100))
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    port = server.sockets[0].getsockname()[1]
    with pytest.raises(UnavailableError):
        await JWKSClient(f"https://127.0.0.1:{port}/jwks").ready()
    server.close()
    assert not any(asked)
    assert "its certificate is not trusted" in caplog.text
    assert "SSL_CERT_FILE" in caplog.text


async def test_the_log_says_what_is_in_the_way(free_port, caplog, monkeypatch):
    with pytest.raises(UnavailableError):
        await JWKSClient(f"http://127.0.0.1:{free_port}/jwks").ready()
    assert "nothing listens there" in caplog.text
    monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{free_port}")
    with pytest.raises(UnavailableError):
        await JWKSClient("https://keys.example/jwks").ready()


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (socket.gaierror(), "its name is not known here"),
        (TimeoutError(), "no answer in time"),
        (ssl.SSLError(1, "x"), "TLS fails"),
        (type("ProxyError", (Exception,), {})("secret"), "a proxy"),
        (RuntimeError("secret"), "RuntimeError"),
    ],
)
def test_a_cause_is_said_without_the_text_of_the_error(error, words):
    outer = OSError("secret")
    outer.__cause__ = error
    expected = words if words != "RuntimeError" else "OSError"
    assert expected in cause_of(outer)
    assert "secret" not in cause_of(outer)


def test_a_circle_of_causes_has_an_end():
    one, two = OSError(), OSError()
    one.__cause__, two.__cause__ = two, one
    assert cause_of(one) == "OSError"


def self_signed(folder):
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    path = folder / "cert.pem"
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        + made.public_bytes(serialization.Encoding.PEM)
    )
    return path


def test_without_httpx2_it_is_said_what_to_install(monkeypatch):
    monkeypatch.setattr("asgi_auth._drivers.http._INSTALLED", False)
    with pytest.raises(MissingExtraError, match=r'pip install "asgi-auth\[http\]"'):
        JWKSClient("https://idp.example/jwks")

    async def fetch(url, headers, content): ...

    JWKSClient("https://idp.example/jwks", transport=Transport(fetch))


async def test_an_endpoint_that_is_down_is_an_outage(free_port):
    client = JWKSClient(f"http://127.0.0.1:{free_port}/jwks")
    with pytest.raises(UnavailableError):
        await client.ready()
    assert client.stats().age is None
    await client.aclose()


async def test_any_callable_may_fetch(realm):
    asked = []

    async def fetch(url, headers, body):
        asked.append((url, body))
        return 200, {}, json.dumps(realm.jwks).encode()

    client = JWKSClient("https://idp.example/jwks", transport=Transport(fetch))
    assert realm.key.kid in await client.ready()
    assert asked == [("https://idp.example/jwks", None)]


async def test_a_callable_that_raises_or_never_ends_is_an_outage():
    async def broken(url, headers, body):
        raise LookupError(url)

    async def endless(url, headers, body):
        await asyncio.sleep(60)

    async def long(url, headers, body):
        return 200, {}, b" " * 300_000

    for fetch in (broken, endless, long):
        client = JWKSClient(
            "https://idp.example/jwks", transport=Transport(fetch, timeout=0.05)
        )
        with pytest.raises(UnavailableError):
            await client.ready()
