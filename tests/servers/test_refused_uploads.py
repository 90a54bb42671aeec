"""A refusal of an upload must not harm the connection, nor the server."""

from __future__ import annotations

from collections import Counter

import httpx
import pytest

from tests.servers.application import forged_token
from tests.servers.running import SERVERS, send_raw

SIZES = [0, 10, 100_000, pytest.param(5_000_000, marks=pytest.mark.slow)]
HTTP2 = sorted({"hypercorn", "hypercorn-trio", "granian"})
REFUSED = {
    "by the middleware": ("/whoami", {"Authorization": f"Bearer {forged_token()}"}),
    "by a guard": ("/guarded", {}),
    "by a handler": ("/handler-refuses/401", {}),
}


def outcomes(server, path, headers, size, *, http2, times=15):
    """Post several times over one connection; count statuses and broken attempts."""
    counter = Counter()
    url = f"http://127.0.0.1:{server.port}"
    with httpx.Client(
        base_url=url, http1=not http2, http2=http2, trust_env=False, timeout=20
    ) as client:
        for _ in range(times):
            try:
                counter[
                    client.post(path, content=b"a" * size, headers=headers).status_code
                ] += 1
            except httpx.HTTPError as error:
                counter[type(error).__name__] += 1

    return counter


@pytest.mark.parametrize("refused", REFUSED)
@pytest.mark.parametrize("size", SIZES)
def test_each_of_many_refused_uploads_is_answered(server, refused, size):
    path, headers = REFUSED[refused]
    assert outcomes(server, path, headers, size, http2=False) == {401: 15}


@pytest.mark.parametrize("name", HTTP2)
@pytest.mark.parametrize("refused", REFUSED)
@pytest.mark.parametrize("size", SIZES)
def test_each_of_many_refused_uploads_is_answered_on_http2(start, name, refused, size):
    path, headers = REFUSED[refused]
    server = start(name, SERVERS[name])
    assert outcomes(server, path, headers, size, http2=True) == {401: 15}


@pytest.mark.parametrize("name", HTTP2)
def test_a_server_serves_on_after_a_hundred_refused_uploads(name, start):
    server = start(name, SERVERS[name])
    path, headers = REFUSED["by the middleware"]

    assert outcomes(server, path, headers, 1000, http2=True, times=100) == {401: 100}
    # Without a body: an app that leaves one unread does the same harm by itself.
    url = f"http://127.0.0.1:{server.port}/whoami"
    with httpx.Client(http1=False, http2=True, trust_env=False, timeout=20) as client:
        assert client.get(url).status_code == 200


def raw(*fields, body=b""):
    """Write a request of HTTP/1.1 with a forged token."""
    head = [
        "POST /whoami HTTP/1.1",
        "Host: 127.0.0.1",
        "Connection: close",
        f"Authorization: Bearer {forged_token()}",
        *fields,
    ]
    return "\r\n".join([*head, "", ""]).encode() + body


PIECES = b"".join(b"3e8\r\n" + b"a" * 1000 + b"\r\n" for _ in range(100))
ODD = {
    "chunked": raw("Transfer-Encoding: chunked", body=PIECES + b"0\r\n\r\n"),
    "that asks first": raw("Content-Length: 1000000000", "Expect: 100-continue"),
    # A gigabyte is not read at all: more than the bound is not begun.
    "of a gigabyte": raw("Content-Length: 1000000000", body=b"a" * 100_000),
}
SLOW = {
    "that never comes": raw("Content-Length: 10"),
    "that stops half-way": raw("Content-Length: 200000", body=b"a" * 100_000),
    "without an end": raw("Transfer-Encoding: chunked", body=PIECES),
}


@pytest.mark.parametrize("odd", ODD)
def test_an_odd_upload_is_refused_at_once(server, odd):
    assert send_raw(server, ODD[odd], patience=4).status == 401


@pytest.mark.slow
@pytest.mark.parametrize("slow", SLOW)
def test_a_slow_upload_is_refused_after_five_seconds(server, slow):
    assert send_raw(server, SLOW[slow], patience=15).status == 401
