"""Server-sent events on every server, over HTTP/1.1 and HTTP/2: they end in time."""

from __future__ import annotations

import contextlib
import itertools
import time

import httpx2
import pytest

from tests.servers.running import GRANIAN, HYPERCORN, UVICORN, running
from tests.servers.streaming import TOKENS

APP = "tests.servers.streaming:app"
SERVERS = {
    "uvicorn-h11": [*UVICORN, "--http", "h11", APP],
    "uvicorn-httptools": [*UVICORN, "--http", "httptools", APP],
    "hypercorn": [*HYPERCORN, APP],
    "granian": [*GRANIAN, APP],
    "daphne": ["daphne", "-p", "{port}", "-b", "127.0.0.1", APP],
}
WAYS = [*((name, False) for name in SERVERS), ("hypercorn", True), ("granian", True)]

numbers = itertools.count()


@pytest.fixture(scope="module")
def started():
    with contextlib.ExitStack() as stack:
        known = {}

        def find(name):
            if name not in known:
                known[name] = stack.enter_context(running(name, SERVERS[name]))
            return known[name]

        yield find


@pytest.fixture(params=WAYS, ids=lambda way: f"{way[0]}-http{1 + way[1]}")
def client(request, started):
    name, http2 = request.param
    server = started(name)
    url = f"http://127.0.0.1:{server.port}"
    with httpx2.Client(
        base_url=url, http1=not http2, http2=http2, trust_env=False, timeout=10
    ) as client:
        client.server = server
        yield client


@pytest.fixture
def subject():
    return f"user-{next(numbers)}"


def bearer(token):
    return {"Authorization": f"Bearer {token}"}


def listen(client, path, token):
    return client.stream("GET", path, headers=bearer(token))


def wait_for_end(client, word):
    deadline = time.monotonic() + 5
    while word not in client.get("/ends").text:
        assert time.monotonic() < deadline, f"{word} has not heard of it"
        time.sleep(0.02)


@pytest.mark.parametrize("path", ["streaming", "idle", "push"])
def test_a_revocation_ends_a_stream(client, path, subject):
    token = TOKENS.mint(subject)
    with listen(client, f"/{path}", token) as response:
        parts = response.iter_raw()
        assert b"tick" in next(parts)
        client.get("/revoke", params={"subject": subject})
        revoked = time.monotonic()
        for _ in parts:
            pass

    assert time.monotonic() - revoked < 10
    wait_for_end(client, {"streaming": "starlette"}.get(path, path))
    # The connection, or the next one, serves on, and the server saw no fault.
    answer = client.get("/streaming", headers=bearer(token))
    assert answer.status_code == 401
    assert "Traceback" not in client.server.log()


def test_the_end_of_the_token_ends_a_stream(client, subject):
    token = TOKENS.mint(subject, ttl=2)
    with listen(client, "/idle", token) as response:
        for _ in response.iter_raw():
            pass

    assert client.get("/idle", headers=bearer(token)).status_code == 401


def test_a_download_goes_on(client, subject):
    with listen(client, "/download", TOKENS.mint(subject)) as response:
        parts = response.iter_raw()
        next(parts)
        client.get("/revoke", params={"subject": subject})
        for _ in range(10):
            next(parts)


def test_a_stream_that_has_promised_a_length_ends_properly(client, subject):
    with listen(client, "/push?length=1", TOKENS.mint(subject)) as response:
        parts = response.iter_raw()
        next(parts)
        client.get("/revoke", params={"subject": subject})
        for _ in parts:
            pass

    assert client.get("/ends").status_code == 200
