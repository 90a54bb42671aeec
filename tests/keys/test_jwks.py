from __future__ import annotations

import asyncio
import base64
import json
import logging
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
from hypothesis import given, settings
from hypothesis import strategies as st

from asgi_auth import (
    ConfigurationError,
    Key,
    KeySet,
    MissingExtraError,
    UnavailableError,
)
from asgi_auth._drivers.causes import cause_of
from asgi_auth.backends.trusted import TrustedIssuer
from asgi_auth.keys._bucket import TokenBucket
from asgi_auth.keys._jwks import read_jwks, read_pem
from asgi_auth.keys.jwks import JWKSClient
from asgi_auth.testing.clock import FakeClock
from tests.idp.issuer import new_key, provider, public


@pytest.fixture
def realm():
    return provider().realm()


@pytest.fixture
def clock():
    return FakeClock()


@pytest.fixture
async def client(realm, clock):
    made = JWKSClient(realm.jwks_uri, clock=clock, jitter=lambda: 0.0)
    yield made
    await made.aclose()


async def settle(client):
    """Wait until nothing is under way in the background."""
    flight = await client._flights.get()
    if flight.task is not None:
        await asyncio.wait([flight.task])


async def test_the_first_caller_gets_the_keys_of_the_issuer(client, realm):
    keys = await client.ready()
    assert realm.key.kid in keys
    assert client.stats()[:4] == (1, 0, 1, 0)


async def test_fifty_callers_at_once_make_one_request(client, realm):
    realm.delay = 0.1
    found = await asyncio.gather(*(client.ready() for _ in range(50)))
    assert realm.fetches == 1
    assert len({id(keys) for keys in found}) == 1


async def test_a_key_that_a_fetch_under_way_brings_is_not_fetched_again(client, realm):
    realm.delay = 0.1
    first = asyncio.create_task(client.ready())
    await asyncio.sleep(0.02)
    await client.seek(realm.key.kid, "ES256")
    assert first.done() or await first
    assert realm.fetches == 1


async def test_who_is_cancelled_does_not_take_the_others_along(client, realm):
    realm.delay = 0.1
    waiting = [asyncio.create_task(client.ready()) for _ in range(3)]
    await asyncio.sleep(0.02)
    waiting[0].cancel()
    found = await asyncio.gather(*waiting, return_exceptions=True)
    assert isinstance(found[0], asyncio.CancelledError)
    assert found[1] is found[2]
    assert realm.fetches == 1


async def test_keys_are_fetched_anew_in_the_background(client, realm, clock):
    keys = await client.ready()
    realm.rotate()
    realm.delay = 0.2
    clock.advance(601)
    started = time.perf_counter()
    assert await client.ready() is keys
    assert time.perf_counter() - started < 0.1
    await settle(client)
    assert realm.key.kid in keys
    assert realm.fetches == 2


async def test_fresh_keys_are_not_asked_for(client, realm, clock):
    await client.ready()
    clock.advance(599)
    assert client.is_fresh()
    await client.ready()
    assert realm.fetches == 1


async def test_the_same_answer_keeps_what_is_cached_of_tokens(client, realm, clock):
    keys = await client.ready()
    generation = keys.generation
    clock.advance(601)
    await client.ready()
    await settle(client)
    assert realm.fetches == 2
    assert keys.generation == generation


async def test_a_rotated_key_is_there_at_its_first_use(client, realm):
    keys = await client.ready()
    realm.rotate()
    await client.seek(realm.key.kid, "ES256")
    assert realm.key.kid in keys
    assert realm.fetches == 2


async def test_a_hundred_unknown_kids_cost_two_requests(client, realm):
    await client.ready()
    for number in range(100):
        await client.seek(f"unknown-{number}", "ES256")
    assert realm.fetches == 3


async def test_a_hundred_unknown_kids_at_once_cost_two_requests(client, realm):
    await client.ready()
    realm.delay = 0.05
    await asyncio.gather(*(client.seek(f"no-{n}", "ES256") for n in range(100)))
    assert realm.fetches <= 3


async def test_under_a_flood_a_rotated_key_is_there_within_30_s(client, realm, clock):
    keys = await client.ready()
    for number in range(100):
        await client.seek(f"unknown-{number}", "ES256")
    realm.rotate()
    waited = 0.0
    while realm.key.kid not in keys:
        clock.advance(0.5)
        waited += 0.5
        await client.seek(f"flood-{waited}", "ES256")
        await client.seek(realm.key.kid, "ES256")
    assert waited <= 30
    assert realm.fetches == 4


async def test_a_key_published_during_a_request_is_found_by_the_next():
    old, new = new_key(), new_key()
    published, go_on, requests = [public(old)], asyncio.Event(), 0

    async def fetch(url, headers, content):
        nonlocal requests
        requests += 1
        answer = body(*published)
        if requests == 2:
            await go_on.wait()
        return 200, {}, answer

    client = JWKSClient("https://idp.example/jwks", fetch=fetch)
    keys = await client.ready()
    early = asyncio.create_task(client.seek("unknown", "ES256"))
    await asyncio.sleep(0.01)
    published.append(public(new))
    late = asyncio.create_task(client.seek(new.kid, "ES256"))
    await asyncio.sleep(0.01)
    go_on.set()
    await asyncio.gather(early, late)
    assert new.kid in keys
    assert requests == 3


async def test_known_keys_go_on_through_an_hour_of_outage(client, realm, clock):
    keys = await client.ready()
    realm.fault = "500"
    for _ in range(60):
        clock.advance(60)
        assert await client.ready() is keys
        await settle(client)
    assert 5 < client.stats().failures <= 120
    with pytest.raises(UnavailableError):
        await client.seek("unknown", "ES256")
    realm.fault = None
    clock.advance(60)
    await client.ready()
    await settle(client)
    assert client.is_fresh()


async def test_an_unknown_kid_stays_unknown_only_after_a_good_answer(client, realm):
    await client.ready()
    realm.fault = "500"
    for _ in range(5):
        with pytest.raises(UnavailableError):
            await client.seek("unknown", "ES256")
    assert realm.fetches == 3


async def test_failures_pause_requests_for_longer_and_longer(client, realm, clock):
    realm.fault = "500"
    for _ in range(100):
        with pytest.raises(UnavailableError):
            await client.ready()
        clock.advance(1)
    assert 5 <= realm.fetches <= 10


async def test_in_an_outage_the_background_pauses_too(client, realm, clock):
    await client.ready()
    realm.fault = "500"
    clock.advance(600)
    for _ in range(20):
        await client.ready()
        await settle(client)
        clock.advance(0.5)
    assert 2 <= client.stats().failures <= 6


async def test_a_cold_start_in_an_outage_recovers_within_a_second(client, realm, clock):
    realm.fault = "500"
    with pytest.raises(UnavailableError) as caught:
        await client.ready()
    assert caught.value.retry_after == 1
    realm.fault = None
    clock.advance(1)
    assert realm.key.kid in await client.ready()


async def test_keys_are_not_used_for_more_than_a_day_of_outage(client, realm, clock):
    await client.ready()
    realm.fault = "500"
    clock.advance(86401)
    with pytest.raises(UnavailableError):
        await client.ready()


@pytest.mark.parametrize(
    ("control", "seconds"),
    [
        ("max-age=1200", 1200),
        ("public, max-age=1200, must-revalidate", 1200),
        ("max-age=5", 60),
        ("max-age=99999999", 3600),
        ("no-store", 60),
        ("no-cache, max-age=1200", 60),
        ("s-maxage=7", 600),
        ("max-age=soon", 600),
        ("", 600),
    ],
)
async def test_cache_control_counts_within_bounds(
    client, realm, clock, control, seconds
):
    realm.jwks_headers = {"cache-control": control}
    await client.ready()
    clock.advance(seconds - 1)
    assert client.is_fresh()
    clock.advance(1)
    assert not client.is_fresh()


async def test_the_age_of_a_cached_answer_is_taken_off(client, realm, clock):
    realm.jwks_headers = {"cache-control": "max-age=1200", "age": "200"}
    await client.ready()
    clock.advance(1000)
    assert not client.is_fresh()


async def test_processes_do_not_ask_in_step(realm, clock):
    client = JWKSClient(realm.jwks_uri, clock=clock, jitter=lambda: 1.0)
    await client.ready()
    clock.advance(541)
    assert not client.is_fresh()
    await client.aclose()


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
    client = JWKSClient(f"http://127.0.0.1:{port}/jwks", timeout=10)
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
        client = JWKSClient(realm.jwks_uri, timeout=0.3)
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

    JWKSClient("https://idp.example/jwks", fetch=fetch)


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

    client = JWKSClient("https://idp.example/jwks", fetch=fetch)
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
        client = JWKSClient("https://idp.example/jwks", fetch=fetch, timeout=0.05)
        with pytest.raises(UnavailableError):
            await client.ready()


async def test_a_located_url_is_looked_up_again_after_a_failure(realm, clock):
    places = ["https://idp.example/old", realm.jwks_uri]

    async def locate():
        return places.pop(0)

    async def fetch(url, headers, body):
        if "old" in url:
            return 410, {}, b""
        return 200, {}, json.dumps(realm.jwks).encode()

    client = JWKSClient(locate, fetch=fetch, clock=clock)
    with pytest.raises(UnavailableError):
        await client.ready()
    clock.advance(1)
    assert len(await client.ready()) == 1


async def test_a_located_url_must_be_safe_too():
    async def locate():
        return "http://idp.example/jwks"

    with pytest.raises(UnavailableError):
        await JWKSClient(locate).ready()


@pytest.mark.parametrize(
    "url",
    [
        "http://idp.example/jwks",
        "ftp://idp.example/jwks",
        "file:///etc/passwd",
        "https://user@idp.example/jwks",
        "https://",
        "https://idp.example/jwks#part",
        "https://idp.example:port/",
        "http://127.0.0.1.evil.example/",
        "https://idp.example/\n",
        "",
    ],
)
def test_unsafe_urls_are_refused(url):
    with pytest.raises(ConfigurationError):
        JWKSClient(url)


@pytest.mark.parametrize(
    "url", ["http://localhost:8080/a", "http://127.0.0.1/a", "http://[::1]:1/a"]
)
def test_loopback_needs_no_tls(url):
    JWKSClient(url)


@pytest.mark.parametrize(
    "options",
    [
        {"ttl": 0},
        {"stale_for": 1},
        {"cooldown": 0},
        {"max_keys": 101},
        {"max_keys": 0},
        {"timeout": 0},
        {"max_bytes": 0},
        {"algorithms": ()},
        {"algorithms": ("HS256",)},
        {"algorithms": ("none",)},
    ],
)
def test_bounds_must_make_sense(options):
    with pytest.raises(ConfigurationError):
        JWKSClient("https://idp.example/jwks", **options)


def test_each_loop_has_its_own_connections(realm):
    client = JWKSClient(realm.jwks_uri, ttl=600)
    kids = [key.kid for key in asyncio.run(client.ready())]

    async def again():
        await client.seek("unknown", "ES256")
        return [key.kid for key in await client.ready()]

    assert asyncio.run(again()) == kids
    assert asyncio.run(again()) == kids
    assert len(client._flights) == 0


def test_repr_shows_where_it_asks():
    client = JWKSClient("https://idp.example/jwks")
    assert repr(client) == "JWKSClient('https://idp.example/jwks')"


# What is read of a set


def body(*keys) -> bytes:
    return json.dumps({"keys": keys}).encode()


def test_unusable_keys_are_left_out_and_told_of():
    good, private, secret = new_key(), new_key(), new_key("HS256")
    found = read_jwks(
        body(
            public(good),
            private.as_dict(private=True),
            secret.as_dict(private=True),
            public(new_key(), use="enc"),
            public(new_key(), key_ops=["encrypt"]),
            public(new_key(), alg="RSA-OAEP"),
            public(new_key(), alg="none"),
            public(new_key(), alg=[]),
            public(new_key(), kid=[]),
            public(new_key(), kty="AKP"),
            public(new_key(), kty={}),
            public(new_key(), x="!"),
            "text",
            None,
        )
    )
    assert [key.kid for key in found.keys] == [good.kid]
    assert len(found.skipped) == 13
    told = " ".join(found.skipped)
    assert "private key" in told
    assert "HMAC" in told
    assert private.as_dict(private=True)["d"] not in told


async def test_skipped_keys_are_logged_once(client, realm, clock, caplog):
    realm.jwks["keys"].append(new_key("HS256").as_dict(private=True))
    with caplog.at_level(logging.WARNING, "asgi_auth.keys"):
        await client.ready()
        clock.advance(601)
        await client.ready()
        await settle(client)
    assert [r.message.count("HMAC") for r in caplog.records] == [1]
    assert client.stats().skipped == 1


def test_keys_that_share_a_kid_are_all_left_out():
    one, two, good = new_key(kid="same"), new_key(kid="same"), new_key()
    found = read_jwks(body(public(one), public(good), public(two)))
    assert [key.kid for key in found.keys] == [good.kid]
    assert found.skipped == ("2 keys have the kid 'same'",)


def test_one_key_may_be_listed_for_two_algorithms():
    key = new_key("RS256")
    one, two = public(key, alg="RS256"), public(key, alg="PS256")
    found = read_jwks(body(one, two))
    assert not found.skipped
    keys = KeySet(found.keys)
    for algorithm in ("RS256", "PS256"):
        assert keys.find(key.kid, algorithm).algorithm == algorithm
    assert keys.find(key.kid, "RS512") is None
    assert len(read_jwks(body(one, two), algorithms=("RS256",)).keys) == 1
    with pytest.raises(ConfigurationError, match="1 to 100"):
        keys.remove(key.kid)


def test_a_key_of_one_algorithm_without_a_kid_is_found_under_each():
    members = public(new_key("RS256"))
    del members["kid"]
    listed = [{**members, "alg": alg} for alg in ("RS256", "PS256")]
    keys = KeySet(read_jwks(body(*listed)).keys)
    assert keys.find("theirs", "PS256").algorithm == "PS256"
    assert keys.find("theirs", "ES256") is None


async def test_a_nameless_key_that_was_rotated_is_asked_for(realm, clock, client):
    del realm.jwks["keys"][0]["kid"]
    keys = await client.ready()
    assert keys.find("x", "ES256") is not None
    issuer = TrustedIssuer(realm.issuer, audience="api", keys=client)
    assert await issuer.admit(realm.token())
    realm.jwks["keys"] = []
    realm.rotate()
    del realm.jwks["keys"][0]["kid"]
    assert await issuer.admit(realm.token())
    assert realm.fetches == 2


def test_the_keys_of_spiffe_say_which_of_its_documents_they_are_for():
    key, other = new_key(), new_key()
    keys = body(public(key, use="jwt-svid"), public(other, use="x509-svid"))
    found = read_jwks(keys)
    assert [key.kid for key in found.keys] == [key.kid]
    assert len(found.skipped) == 1


# ------------------------------------------------------------------- certificates


def certify(algorithm="ES256", kid=None):
    """Return a key, and a certificate for it that has expired."""
    key = Key.generate(algorithm, kid=kid)
    private = key._material.private
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "signer")])
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(private.public_key())
        .serial_number(1)
        .not_valid_before(datetime(2020, 1, 1, tzinfo=UTC))
        .not_valid_after(datetime(2021, 1, 1, tzinfo=UTC))
        .sign(private, hashes.SHA256())
    )
    return key, signed


def pem_of(certificate):
    return certificate.public_bytes(serialization.Encoding.PEM).decode()


def x5c_of(certificate):
    der = certificate.public_bytes(serialization.Encoding.DER)
    return [base64.b64encode(der).decode(), "the rest of the chain"]


@pytest.mark.parametrize("algorithm", ["RS256", "ES256"])
def test_a_key_may_be_nothing_but_a_certificate(algorithm):
    key, certificate = certify(algorithm)
    kty = "RSA" if algorithm == "RS256" else "EC"
    jwk = {"kty": kty, "kid": "one", "alg": algorithm, "x5c": x5c_of(certificate)}
    (read,) = read_jwks(body(jwk)).keys
    assert (read.kid, read.algorithm) == ("one", algorithm)
    assert read.verify(b"x", key.sign(b"x"))


@pytest.mark.parametrize(
    "chain",
    [None, [], "x", [""], ["!"], [5], ["YWJj"], ["YWJj="], [None], {"0": "x"}],
)
def test_what_is_no_chain_is_left_out(chain):
    with pytest.raises(ConfigurationError, match="x5c"):
        read_jwks(body({"kty": "RSA", "x5c": chain}))


def test_a_certificate_is_of_the_type_that_its_entry_says():
    _, certificate = certify("ES256")
    jwk = {"kty": "RSA", "x5c": x5c_of(certificate)}
    with pytest.raises(ConfigurationError):
        read_jwks(body(jwk))
    with pytest.raises(ConfigurationError, match="another type of key than RSA"):
        Key.from_jwk(jwk)


def test_a_certificate_beside_a_key_is_not_looked_at():
    key, other = new_key(), certify()[1]
    (read,) = read_jwks(body(public(key, x5c=x5c_of(other)))).keys
    assert read.thumbprint() == key.thumbprint()


@pytest.mark.parametrize("algorithm", ["RS256", "ES256", "EdDSA"])
def test_keys_may_be_pem_under_their_kid(algorithm):
    key, other = Key.generate(algorithm), Key.generate(algorithm)
    texts = {"one": public_pem(key), "two": public_pem(other)}
    found = read_jwks(json.dumps(texts).encode())
    assert [key.kid for key in found.keys] == ["one", "two"]
    assert found.keys[0].verify(b"x", key.sign(b"x"))


def test_pem_may_be_certificates_as_firebase_has_them():
    _, certificate = certify("RS256")
    texts = json.dumps({"f1": pem_of(certificate)}).encode()
    (read,) = read_jwks(texts, algorithms=("RS256",)).keys
    assert (read.kid, read.algorithm) == ("f1", "RS256")
    with pytest.raises(ConfigurationError, match="not accepted"):
        read_jwks(texts, algorithms=("ES256",))


def test_no_private_key_is_read_from_pem():
    private = Key.generate("ES256")._material.private
    text = private.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    ).decode()
    with pytest.raises(ConfigurationError, match="private"):
        read_jwks(json.dumps({"one": text}).encode())
    with pytest.raises(ConfigurationError, match="not PEM"):
        read_pem(None, "one")


@pytest.mark.parametrize(
    "members", [{}, {"one": 5}, {"error": "x"}, {"one": ["-----BEGIN "]}]
)
def test_an_object_of_anything_else_is_no_set(members):
    with pytest.raises(ConfigurationError, match="no JWK set"):
        read_jwks(json.dumps(members).encode())


def public_pem(key):
    return key._public.public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    ).decode()


def test_the_same_key_twice_is_one_key():
    key = new_key()
    assert len(read_jwks(body(public(key), public(key))).keys) == 1


def test_a_key_for_encryption_may_share_the_kid_of_one_that_signs():
    key, other = new_key(kid="same"), new_key("RS256", kid="same")
    found = read_jwks(body(public(key), public(other, use="enc", alg="RSA-OAEP")))
    assert [key.algorithm for key in found.keys] == ["ES256"]


def test_a_key_without_alg_gets_the_first_accepted_one_that_fits():
    keys = body(public(new_key("RS256")), public(new_key("Ed25519")))
    assert [k.algorithm for k in read_jwks(keys).keys] == ["RS256", "EdDSA"]
    chosen = read_jwks(keys, algorithms=("PS256", "RS256"))
    assert [k.algorithm for k in chosen.keys] == ["PS256"]


def test_a_key_is_for_its_own_alg_only():
    found = read_jwks(body(public(new_key("RS256"), alg="RS512")))
    assert found.keys[0].algorithm_names == {"RS512"}
    with pytest.raises(ConfigurationError):
        read_jwks(body(public(new_key("RS256"), alg="RS512")), algorithms=("RS256",))


def test_keys_of_another_issuer_are_left_out():
    mine, other, silent = new_key(), new_key(), new_key()
    found = read_jwks(
        body(public(mine, issuer="us"), public(other, issuer="them"), public(silent)),
        issuers=["us"],
    )
    assert {key.kid for key in found.keys} == {mine.kid, silent.kid}


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff",
        b"[]",
        b"{}",
        b'{"keys": {}}',
        b'{"keys": []}',
        b'{"keys": [], "keys": []}',
        b"[" * 100_000,
        b'{"keys": ' + b"1" * 10_000 + b"}",
        json.dumps({"keys": [{}] * 101}).encode(),
    ],
)
def test_what_is_no_set_of_use_is_refused(content):
    with pytest.raises(ConfigurationError):
        read_jwks(content)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)
MEMBERS = ("kty", "crv", "x", "y", "n", "e", "alg", "use", "key_ops", "kid", "issuer")
ALMOST = st.sampled_from([public(Key_) for Key_ in (new_key(), new_key("RS256"))])


@settings(deadline=None)  # A thread of the provider shares the core.
@given(
    st.lists(
        st.builds(
            lambda key, odd: {**key, **odd},
            ALMOST,
            st.dictionaries(st.sampled_from(MEMBERS), JSON, max_size=3),
        ),
        max_size=3,
    )
)
def test_nothing_in_a_set_raises_anything_unexpected(keys):
    try:
        found = read_jwks(json.dumps({"keys": keys}).encode(), issuers=["us"])
    except ConfigurationError:
        return
    assert all(isinstance(key, Key) and not key.is_private for key in found.keys)


def test_a_bucket_gives_its_burst_and_then_one_each_period():
    clock = FakeClock()
    bucket = TokenBucket(2, 30, clock=clock)
    assert [bucket.take() for _ in range(3)] == [True, True, False]
    assert bucket.wait() == pytest.approx(30)
    clock.advance(29)
    assert not bucket.take()
    clock.advance(1.001)
    assert bucket.take()
    clock.advance(3600)
    assert [bucket.take() for _ in range(3)] == [True, True, False]
