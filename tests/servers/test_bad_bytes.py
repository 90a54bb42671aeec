"""Nothing on the wire makes a 500: bytes that only a raw socket sends."""

from __future__ import annotations

import pytest

from tests.servers.running import SERVERS, get, handshake, send_raw

BYTES = {
    "high byte": b"\xff",
    "NUL": b"a\x00b",
    "high bytes and dots": b"\xff.\xfe.\xfd",
    "UTF-8": "ä.ö.ü".encode(),
    "line break": b"a\rb",
    "tab": b"a\tb",
    "nothing": b"",
}
ESCAPED = {
    "high byte": b"%ff",
    "NUL": b"%00",
    "cut off": b"%",
    "no digits": b"%zz",
    "dots": b"%2e%2e%2e",
    "twice": b"%2525",
}
PLACES = {
    "header": lambda bad: get(b"/whoami", b"Authorization: Bearer " + bad),
    "scheme": lambda bad: get(b"/whoami", b"Authorization: " + bad + b" abc"),
    "cookie": lambda bad: get(b"/whoami", b"Cookie: access=" + bad),
    "query": lambda bad: get(b"/whoami?access_token=" + bad),
    "path": lambda bad: get(b"/whoami" + bad),
    "socket header": lambda bad: handshake(b"/ws", b"Authorization: Bearer " + bad),
    "socket cookie": lambda bad: handshake(b"/ws", b"Cookie: access=" + bad),
    "socket query": lambda bad: handshake(b"/ws?token=" + bad),
    "subprotocol": lambda bad: handshake(
        b"/ws", b"Sec-WebSocket-Protocol: bearer, " + bad
    ),
    "kubernetes subprotocol": lambda bad: handshake(
        b"/ws",
        b"Sec-WebSocket-Protocol: base64url.bearer.authorization." + bad + b", chat",
    ),
}
# Every server hands the first on; what is too long for it, a server refuses itself,
# and one of them says so only to its log.
SIZES = {"7 KiB": 7 << 10, "9 KiB": 9 << 10, "100 KiB": 100 << 10, "1 MB": 1_000_000}
TOO_LONG = {0, 400, 401, 413, 414, 431}


# On trio, hypercorn ends itself over a subprotocol that is not ASCII, before it calls
# any application.
@pytest.fixture(params=[name for name in SERVERS if name != "hypercorn-trio"])
def server(request, start):
    return start(request.param, SERVERS[request.param])


def assert_alive(server):
    answer = send_raw(server, get(b"/whoami"))
    assert answer.status == 200
    assert b'"subject": ""' in answer.body


def is_its_own(server, answer) -> bool:
    """Tell uvicorn's own fault: its deprecated sockets fail before any application."""
    return server.name == "uvicorn-websockets" and answer.body.startswith(
        b"Failed to open a WebSocket connection."
    )


@pytest.mark.parametrize("place", PLACES)
def test_strange_bytes_never_make_a_500(server, place):
    for bad in BYTES.values():
        answer = send_raw(server, PLACES[place](bad))
        assert answer.status < 500 or is_its_own(server, answer), bad

    assert_alive(server)


@pytest.mark.parametrize("place", ["query", "socket query", "path"])
def test_strange_escapes_never_make_a_500(server, place):
    for bad in ESCAPED.values():
        assert send_raw(server, PLACES[place](bad)).status in {101, 200, 400, 401}

    assert_alive(server)


@pytest.mark.parametrize("place", ["header", "cookie", "query", "subprotocol"])
@pytest.mark.parametrize("size", SIZES)
def test_a_token_of_any_size_never_makes_a_500(server, place, size):
    token = b"eyJhbGciOiJIUzI1NiJ9." + b"A" * SIZES[size]
    patience = 1 if place == "subprotocol" and size != "7 KiB" else 20
    status = send_raw(server, PLACES[place](token), patience=patience).status

    # A bad cookie is an anonymous caller.
    handed_on = 200 if place == "cookie" else 401
    assert status == handed_on or (size != "7 KiB" and status in TOO_LONG)
    assert_alive(server)
