"""A refusal of an upload over HTTP/3 must not harm the connection, nor the server."""

from __future__ import annotations

import asyncio
import ssl
from collections import Counter
from contextlib import asynccontextmanager

import pytest
from aioquic.asyncio import QuicConnectionProtocol, connect
from aioquic.h3.connection import H3_ALPN, H3Connection
from aioquic.h3.events import DataReceived, HeadersReceived
from aioquic.quic.configuration import QuicConfiguration

from tests.servers.application import forged_token, token_service
from tests.servers.running import APP, HYPERCORN, running
from tests.stores.redis_server import Certificates

PATIENCE = 20
FORGED = [(b"authorization", b"Bearer " + forged_token().encode())]
PIECE = 16_384


class Client(QuicConnectionProtocol):
    """One connection of HTTP/3, and what has come over it."""

    def __init__(self, *args, **options):
        super().__init__(*args, **options)
        self.http = H3Connection(self._quic)
        self.answers = {}

    def quic_event_received(self, event):
        for received in self.http.handle_event(event):
            answer = self.answers.get(received.stream_id)
            if answer is None:
                continue

            if isinstance(received, HeadersReceived):
                answer[0] = int(dict(received.headers)[b":status"])

            ended = isinstance(received, HeadersReceived | DataReceived)
            if ended and received.stream_ended:
                answer[1].set()

    async def ask(self, method, path, headers=(), body=b""):
        """Send a request; return the status of its answer, which has come whole."""
        stream = self._quic.get_next_available_stream_id()
        answer = self.answers[stream] = [0, asyncio.Event()]
        pseudo = [
            (b":method", method),
            (b":scheme", b"https"),
            (b":authority", b"localhost"),
            (b":path", path),
        ]
        self.http.send_headers(stream, [*pseudo, *headers], end_stream=not body)
        for start in range(0, len(body), PIECE):
            piece = body[start : start + PIECE]
            is_last = start + PIECE >= len(body)
            self.http.send_data(stream, piece, end_stream=is_last)

        self.transmit()
        async with asyncio.timeout(PATIENCE):
            await answer[1].wait()

        return answer[0]


@asynccontextmanager
async def connected(server):
    settings = QuicConfiguration(is_client=True, alpn_protocols=H3_ALPN)
    settings.verify_mode = ssl.CERT_NONE
    async with (
        asyncio.timeout(3 * PATIENCE),
        connect(
            "127.0.0.1", server.port, configuration=settings, create_protocol=Client
        ) as client,
    ):
        yield client


@pytest.fixture(scope="module")
def anyio_backend():
    return "asyncio"


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    folder = tmp_path_factory.mktemp("certificates")
    made = Certificates(folder)
    command = [
        *HYPERCORN,
        *["--quic-bind", "127.0.0.1:{port}"],
        *["--certfile", str(made.certificate), "--keyfile", str(made.key)],
        APP,
    ]
    with running("hypercorn-h3", command) as server:
        yield server


@pytest.mark.parametrize("size", [0, 10, 100_000])
async def test_each_of_many_refused_uploads_is_answered(server, size):
    async with connected(server) as client:
        statuses = Counter()
        for _ in range(15):
            asked = client.ask(b"POST", b"/whoami", FORGED, b"a" * size)
            statuses[await asked] += 1
    assert statuses == {401: 15}


async def test_a_server_takes_new_connections_after_refused_uploads(server):
    known = [(b"authorization", b"Bearer " + token_service().mint("ann").encode())]
    for _ in range(3):
        async with connected(server) as client:
            asked = [
                client.ask(b"POST", b"/whoami", FORGED, b"a" * 50_000) for _ in range(4)
            ]
            assert await asyncio.gather(*asked) == [401] * 4
    async with connected(server) as client:
        assert await client.ask(b"GET", b"/whoami", known) == 200
    assert "Traceback" not in server.log()
