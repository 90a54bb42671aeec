"""What a refused request still sends is taken in, up to a bound."""

from __future__ import annotations

import anyio
import pytest

from asgi_auth.responses import body as body_module
from asgi_auth.responses.body import MOST_BYTES, RequestBody, may_have_body
from tests.asgi import http_scope

pytestmark = pytest.mark.parametrize("anyio_backend", ["asyncio", "trio"])

CHUNK = {"type": "http.request", "body": b"a" * 65536, "more_body": True}
LAST = {"type": "http.request", "body": b"end", "more_body": False}
GONE = {"type": "http.disconnect"}


class Client:
    """Sends what it was given, then nothing."""

    def __init__(self, *messages):
        self.messages = list(messages)
        self.taken = 0

    async def receive(self):
        if self.taken >= len(self.messages):
            await anyio.sleep_forever()

        self.taken += 1
        return self.messages[self.taken - 1]


async def drained(client, **scope):
    body = RequestBody(client.receive)
    await body.drain(http_scope(method="POST", **scope))
    return body


@pytest.mark.parametrize("messages", [[LAST], [CHUNK, CHUNK, LAST], [CHUNK, GONE]])
async def test_a_body_is_read_to_its_end_and_no_further(messages):
    client = Client(*messages)

    assert (await drained(client)).ended
    assert client.taken == len(messages)


async def test_a_body_that_the_app_has_read_is_not_waited_for():
    body = RequestBody(Client(CHUNK, LAST).receive)
    while (await body.receive()).get("more_body"):
        pass

    with anyio.fail_after(30):
        await body.drain(http_scope(method="POST"))


async def test_of_an_endless_body_no_more_than_the_bound_is_read():
    client = Client(*[CHUNK] * 1000)

    assert not (await drained(client)).ended
    assert client.taken == MOST_BYTES // len(CHUNK["body"])


async def test_a_client_that_sends_nothing_is_waited_for_a_while(monkeypatch):
    monkeypatch.setattr(body_module, "MOST_SECONDS", 0.01)

    assert not (await drained(Client(CHUNK))).ended


async def test_a_client_that_asks_first_is_spared_the_sending():
    client = Client(LAST)
    await drained(client, headers=[(b"expect", b"100-Continue")])

    assert client.taken == 0


@pytest.mark.parametrize(
    ("length", "taken"),
    [(b"70000", 2), (b"%d" % (MOST_BYTES + 1), 0), (b"9" * 5000, 0), (b"x", 2)],
)
async def test_more_than_the_bound_is_not_begun(length, taken):
    client = Client(CHUNK, LAST)
    await drained(client, headers=[(b"content-length", length)])

    assert client.taken == taken


async def test_a_client_that_was_told_to_go_on_is_heard_to_the_end():
    client = Client(CHUNK, LAST)
    body = RequestBody(client.receive)
    await body.receive()
    await body.drain(http_scope(method="POST", headers=[(b"expect", b"100-continue")]))

    assert body.ended


@pytest.mark.parametrize(
    ("method", "version", "expected"),
    [
        ("GET", "1.1", False),
        ("HEAD", "1.0", False),
        ("POST", "1.1", True),
        ("REPORT", "1.1", True),
        ("GET", "2", True),
        ("GET", "3", True),
        ("GET", "", False),
    ],
)
async def test_bodies_are_followed_where_they_matter(method, version, expected):
    assert may_have_body(http_scope(method=method, http_version=version)) is expected
