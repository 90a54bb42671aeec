"""Where there is no asyncio, as on trio, a stream is looked at when it is used."""

from __future__ import annotations

import anyio
import pytest

from asgi_auth import (
    ConfigurationError,
    ConnectionPolicy,
)
from asgi_auth.testing import FakeClock
from tests.asgi import http_scope
from tests.lifetime.listener import bearer, event, opening
from tests.websocket.peer import guarded, token_service

LAST = {"type": "http.response.body", "body": b"", "more_body": False}


@pytest.fixture(params=["trio"])
def anyio_backend(request):
    return request.param


class Wire:
    """The server's two channels; nobody says anything after the request."""

    def __init__(self, token):
        self.scope = http_scope("/events", headers=[bearer(token)])
        self.sent = []
        self.inbox = [{"type": "http.request", "body": b""}]

    async def receive(self):
        while not self.inbox:
            await anyio.sleep(60)
        return self.inbox.pop(0)

    async def send(self, message):
        self.sent.append(message)

    async def run(self, app):
        with anyio.fail_after(30):
            await app(self.scope, self.receive, self.send)


async def test_a_pending_receive_ends_at_the_expiry():
    tokens = token_service()
    wire = Wire(tokens.mint("ann", ttl=2))
    seen = []

    async def app(scope, receive, send):
        await send(opening())
        while not seen or seen[-1] != "http.disconnect":
            seen.append((await receive())["type"])

    await wire.run(guarded(app, tokens))
    assert seen == ["http.request", "http.disconnect"]
    assert wire.sent[-1] == LAST


@pytest.mark.parametrize("how", ["expiry", "revocation"])
async def test_an_app_that_only_sends_is_ended_at_its_next_send(how):
    clock = FakeClock()
    tokens = token_service(clock=clock)
    wire = Wire(tokens.mint("ann", ttl=60))
    errors = []

    async def app(scope, receive, send):
        await send(opening())
        await send(event())
        if how == "expiry":
            clock.advance(60)
        else:
            await tokens.revoke_subject("ann")
        for _ in range(2):
            try:
                await send(event())
            except OSError as error:
                errors.append(error.reason)
        raise OSError from None

    with pytest.raises(OSError, match=r"^$"):
        await wire.run(guarded(app, tokens))
    code = {"expiry": "token_expired", "revocation": "token_revoked"}[how]
    assert errors == [code, code]
    assert wire.sent[1:] == [event(), LAST]


async def test_the_error_of_the_end_is_swallowed():
    clock = FakeClock()
    tokens = token_service(clock=clock)
    wire = Wire(tokens.mint("ann", ttl=60))

    async def app(scope, receive, send):
        await receive()
        await send(opening())
        clock.advance(60)
        await send(event())

    await wire.run(guarded(app, tokens))
    assert wire.sent[1:] == [LAST]


async def test_a_token_that_ends_before_the_stream_begins_ends_it_at_once():
    clock = FakeClock()
    tokens = token_service(clock=clock)
    wire = Wire(tokens.mint("ann", ttl=60))

    async def app(scope, receive, send):
        clock.advance(60)
        await send(opening())
        assert (await receive())["type"] == "http.disconnect"

    await wire.run(guarded(app, tokens))
    assert wire.sent[1:] == [LAST]


async def test_a_stream_that_ends_by_itself_or_with_its_client_is_left_alone():
    clock = FakeClock()
    tokens = token_service(clock=clock)
    wire = Wire(tokens.mint("ann", ttl=60))
    wire.inbox.append({"type": "http.disconnect"})

    async def app(scope, receive, send):
        await send(opening())
        await send(event())
        await receive()
        await receive()
        clock.advance(100)
        await send(event(more=False))

    await wire.run(guarded(app, tokens))
    assert wire.sent[1:] == [event(), event(more=False)]


async def test_a_session_cannot_be_asked_for():
    tokens = token_service()
    wire = Wire(tokens.mint("ann", ttl=60))

    async def app(scope, receive, send):
        await send(opening())

    with pytest.raises(ConfigurationError, match="asyncio"):
        await wire.run(
            guarded(app, tokens, connection_policy=ConnectionPolicy(streams="session"))
        )
