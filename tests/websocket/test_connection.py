"""One connection: what it takes, what it refuses, and how it ends."""

from __future__ import annotations

import asyncio

import pytest

from asgi_auth import ConfigurationError
from asgi_auth.lifetime import SocketClosedError
from asgi_auth.websocket import BadMessageError, WebSocketConnection
from asgi_auth.websocket.limits import Limits
from tests.asgi import http_scope, websocket_scope
from tests.websocket.peer import Peer, guarded, token_service, until


def serving(handle, **options):
    """Make an app of a function that gets the connection."""

    async def app(scope, receive, send):
        await handle(WebSocketConnection(scope, receive, send, **options))

    return app


async def test_it_sends_and_receives_in_all_ways():
    async def handle(websocket):
        await websocket.accept("chat.v1", headers=[(b"x-room", b"7")])
        await websocket.send_text(await websocket.receive_text())
        await websocket.send_bytes(await websocket.receive_bytes())
        await websocket.send_json(await websocket.receive_json())
        await websocket.send({"own": "encoding"})
        await websocket.close(4000, "done")

    app = serving(handle)
    async with Peer(app, subprotocols=["chat.v1", "chat.v2"]) as peer:
        assert peer.accepted["subprotocol"] == "chat.v1"
        assert peer.accepted["headers"] == [(b"x-room", b"7")]
        await peer.say_text("h\u00e4llo")
        assert (await peer.next())["text"] == "h\u00e4llo"
        await peer.say_bytes(b"\x00\xff")
        assert (await peer.next())["bytes"] == b"\x00\xff"
        await peer.say({"a": [1, None, "\u00e4"]})
        assert await peer.hear() == {"a": [1, None, "\u00e4"]}
        assert await peer.hear() == {"own": "encoding"}
        assert await peer.closed() == (4000, "done")


@pytest.mark.parametrize(
    ("encoding", "say"),
    [("json", ["1", '"two"']), ("text", ["1", "two"]), ("bytes", [b"1", b"two"])],
)
async def test_iteration_gives_messages_until_the_client_leaves(encoding, say):
    seen = []

    async def handle(websocket):
        await websocket.accept()
        seen.extend([message async for message in websocket])
        assert not websocket.is_open

    async with Peer(serving(handle, encoding=encoding)) as peer:
        for content in say:
            if isinstance(content, str):
                await peer.say_text(content)
            else:
                await peer.say_bytes(content)

    assert seen == ([1, "two"] if encoding == "json" else say)


async def test_the_wrong_order_of_calls_says_what_is_right():
    async def handle(websocket):
        for call in (websocket.receive(), websocket.send_text("early")):
            with pytest.raises(ConfigurationError, match="accept"):
                await call

        await websocket.accept()
        with pytest.raises(ConfigurationError, match="once"):
            await websocket.accept()

        await websocket.close()
        await websocket.close()
        for call in (websocket.receive(), websocket.send_text("late")):
            with pytest.raises(SocketClosedError):
                await call

    async with Peer(serving(handle)) as peer:
        assert await peer.closed() == (1000, "")


async def test_a_subprotocol_that_nobody_offered_is_not_answered():
    async def handle(websocket):
        with pytest.raises(ConfigurationError, match="did not offer"):
            await websocket.accept("other")

        await websocket.accept()

    async with Peer(serving(handle), subprotocols=["chat"]) as peer:
        assert peer.accepted["subprotocol"] is None


def test_it_is_for_websockets():
    with pytest.raises(ConfigurationError):
        WebSocketConnection(http_scope(), None, None)


@pytest.mark.parametrize("options", [{"max_message_size": 0}, {"max_rate": 0}])
def test_limits_that_let_nothing_pass_are_refused(options):
    with pytest.raises(ConfigurationError):
        WebSocketConnection(websocket_scope(), None, None, **options)


@pytest.mark.parametrize(
    ("content", "fits"),
    [
        ("a" * 100, True),
        ("a" * 101, False),
        ("\u20ac" * 33, True),
        ("\u20ac" * 34, False),
        (b"a" * 100, True),
        (b"a" * 101, False),
    ],
)
def test_messages_are_measured_in_bytes(content, fits):
    assert Limits(100, None).too_big(content) is not fits


async def test_a_message_that_is_too_big_closes_the_socket():
    async def handle(websocket):
        await websocket.accept()
        with pytest.raises(SocketClosedError) as closed:
            await websocket.receive()

        assert closed.value.close_code == 1009

    async with Peer(serving(handle, max_message_size=10)) as peer:
        await peer.say_text("a" * 11)
        assert await peer.closed() == (1009, "message too big")


async def test_a_flood_closes_the_socket():
    async def handle(websocket):
        await websocket.accept()
        async for message in websocket:
            await websocket.send(message)

    async with Peer(serving(handle, max_rate=5)) as peer:
        for number in range(11):
            await peer.say(number)

        assert [await peer.hear() for _ in range(10)] == [*range(10)]
        assert await peer.closed() == (1008, "too many messages")


def test_a_patient_client_is_no_flood():
    now = [0.0]
    limits = Limits(100, 10, clock=lambda: now[0])
    for _ in range(1000):
        assert not limits.too_fast()
        now[0] += 0.1


@pytest.mark.parametrize(
    ("text", "close_code"),
    [
        ("{", 1007),
        ("", 1007),
        ("NaN", 1007),
        ('"\\ud800"', 1007),
        ("[" * 50_000, 1007),
        (b"{}", 1003),
    ],
)
async def test_what_is_no_json_is_named_so(text, close_code):
    async def handle(websocket):
        await websocket.accept()
        with pytest.raises(BadMessageError) as bad:
            await websocket.receive_json()

        assert bad.value.close_code == close_code

    async with Peer(serving(handle)) as peer:
        if isinstance(text, bytes):
            await peer.say_bytes(text)
        else:
            await peer.say_text(text)

        await peer.ended()


async def test_a_reason_is_cut_to_what_a_close_may_hold():
    async def handle(websocket):
        await websocket.accept()
        await websocket.close(4000, "\u20ac" * 100)

    async with Peer(serving(handle)) as peer:
        _, reason = await peer.closed()

    assert len(reason.encode()) <= 123
    assert set(reason) == {"\u20ac"}


async def test_the_end_from_outside_interrupts_who_receives():
    held = []

    async def handle(websocket):
        held.append(websocket)
        await websocket.accept()
        assert [message async for message in websocket] == []

    async with Peer(serving(handle)) as peer:
        await until(lambda: peer.log[-1] == "receive")
        held[0].end(4001, "moved")
        assert await peer.closed() == (4001, "moved")
        await peer.ended()


async def test_who_sends_to_a_client_that_left_is_told_so_in_one_way():
    class ServerError(OSError):
        """What a server calls it."""

    async def app(scope, receive, send):
        async def broken(message):
            if message["type"] == "websocket.send":
                raise ServerError

            await send(message)

        websocket = WebSocketConnection(scope, receive, broken)
        await websocket.accept()
        with pytest.raises(SocketClosedError):
            await websocket.send_text("anybody?")

    async with Peer(app) as peer:
        await peer.ended()


async def test_sends_of_several_tasks_go_out_one_after_the_other():
    async def handle(websocket):
        await websocket.accept()
        await asyncio.gather(*(websocket.send(number) for number in range(20)))

    async with Peer(serving(handle)) as peer:
        assert [await peer.hear() for _ in range(20)] == [*range(20)]


async def test_the_principal_is_that_of_the_last_token():
    tokens = token_service()
    held = []

    async def handle(websocket):
        held.append(websocket)
        await websocket.accept()
        await websocket.receive()

    app = guarded(serving(handle), tokens, load_user=lambda p: p.subject.title())
    async with Peer(app, tokens.mint("ann")):
        assert held[0].user_id == "ann"
        assert held[0].user == "Ann"
        assert held[0].path_params == {}
        assert "ann" not in repr(held[0])
