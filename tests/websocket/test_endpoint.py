"""The endpoint: hooks, bad input, and re-authentication."""

from __future__ import annotations

import asyncio
import logging

import pytest

from asgi_auth import AuthorizationError, ConfigurationError, Site, requires
from asgi_auth.testing import FakeClock
from asgi_auth.websocket import Rooms, WebSocketEndpoint
from tests.asgi import cookie, denial_of, run
from tests.websocket.peer import Peer, guarded, token_service, until


class Echo(WebSocketEndpoint):
    """The seed's example."""

    def __init__(self, **options):
        super().__init__(**options)
        self.calls = []

    async def on_connect(self, websocket, user_id):
        self.calls.append(("connect", user_id))

    async def on_message(self, websocket, user_id, message):
        self.calls.append(("message", user_id, message))
        await websocket.send({"user": user_id, "message": message})

    async def on_disconnect(self, websocket, user_id):
        self.calls.append(("disconnect", user_id))


@pytest.fixture
def tokens():
    return token_service()


async def refusal_of(app, *arguments, **scope):
    peer = Peer(app, *arguments, denial=True, **scope)
    peer.start()
    await peer.ended()
    return denial_of(peer.sent)


async def test_the_hooks_are_called_in_order(tokens):
    chat = Echo()
    async with Peer(guarded(chat, tokens), tokens.mint("42")) as peer:
        await peer.say({"text": "Hello WebSocket!"})
        heard = await peer.hear()

    assert heard == {"user": "42", "message": {"text": "Hello WebSocket!"}}
    assert chat.calls == [
        ("connect", "42"),
        ("message", "42", {"text": "Hello WebSocket!"}),
        ("disconnect", "42"),
    ]


@pytest.mark.parametrize(
    ("encoding", "said", "heard"),
    [
        ("json", '{"a":1}', {"text": '{"a":1}'}),
        ("text", "plain", {"text": "plain"}),
        ("bytes", b"\x00\xff", {"bytes": b"\x00\xff"}),
    ],
)
async def test_each_encoding_comes_and_goes(tokens, encoding, said, heard):
    class Mirror(WebSocketEndpoint):
        async def on_message(self, websocket, user_id, message):
            await websocket.send(message)

    app = guarded(Mirror(encoding=encoding), tokens)
    async with Peer(app, tokens.mint("ann")) as peer:
        await (peer.say_bytes if encoding == "bytes" else peer.say_text)(said)
        assert (await peer.next()).items() >= heard.items()


def test_an_encoding_that_does_not_exist_is_refused():
    with pytest.raises(ConfigurationError):
        WebSocketEndpoint(encoding="xml")


async def test_a_class_says_its_encoding_and_an_object_its_own():
    class Text(WebSocketEndpoint):
        encoding = "text"

    assert Text().encoding == "text"
    assert Text(encoding="bytes").encoding == "bytes"
    assert WebSocketEndpoint().encoding == "json"


# ------------------------------------------------------------ before accept


async def test_nobody_is_refused_before_accept(tokens):
    chat = Echo()
    answer = await refusal_of(guarded(chat, tokens))

    assert answer.status == 401
    assert answer.header("www-authenticate") == "Bearer"
    assert chat.calls == []


async def test_a_bad_token_is_refused_before_accept(tokens):
    chat = Echo()
    answer = await refusal_of(guarded(chat, tokens), tokens.mint("ann")[:-2] + "AA")

    assert (answer.status, answer.json()["code"]) == (401, "invalid_token")
    assert chat.calls == []


async def test_an_endpoint_may_take_nobody(tokens):
    async with Peer(guarded(Echo(required=False), tokens)) as peer:
        await peer.say("hi")
        assert await peer.hear() == {"user": "", "message": "hi"}


async def test_a_cookie_from_a_foreign_page_is_refused(tokens):
    app = guarded(Echo(), tokens, site=Site(trusted_origins=["https://app.example"]))
    own = (b"host", b"api.example")
    with_cookie = [own, cookie(tokens.mint("ann"))]
    for origin in (b"https://evil.example", b"null", None):
        headers = [*with_cookie, *([(b"origin", origin)] if origin else [])]
        answer = await refusal_of(app, headers=headers)
        assert (answer.status, answer.json()["code"]) == (403, "cross_origin")

    for origin in (b"http://api.example", b"https://app.example"):
        async with Peer(app, headers=[*with_cookie, (b"origin", origin)]) as peer:
            await peer.say(1)
            assert (await peer.hear())["user"] == "ann"


async def test_a_guard_outside_of_the_endpoint_refuses(tokens):
    app = guarded(requires("chat")(Echo()), tokens)
    assert (await refusal_of(app, tokens.mint("ann"))).status == 403
    async with Peer(app, tokens.mint("ann", scopes=["chat"])):
        pass


async def test_subprotocols_are_agreed_upon(tokens):
    app = guarded(Echo(subprotocols=["chat.v2", "chat.v1"]), tokens)
    token = tokens.mint("ann")
    async with Peer(app, token, subprotocols=["chat.v1", "chat.v2"]) as peer:
        assert peer.accepted["subprotocol"] == "chat.v2"

    async with Peer(app, token) as peer:
        assert peer.accepted["subprotocol"] is None

    async with Peer(app, subprotocols=["bearer", token]) as peer:
        assert peer.accepted["subprotocol"] == "bearer"

    answer = await refusal_of(app, token, subprotocols=["graphql-ws"])
    assert (answer.status, answer.json()["code"]) == (400, "wrong_subprotocol")


async def test_a_request_that_is_no_websocket_is_told_to_upgrade(tokens):
    answer = await run(guarded(Echo(), tokens))
    assert (answer.status, answer.header("upgrade")) == (426, "websocket")


async def test_it_answers_lifespan(tokens):
    sent = []
    inbox = [{"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}]

    async def receive():
        return inbox.pop(0)

    async def send(message):
        sent.append(message["type"])

    await guarded(Echo(), tokens)({"type": "lifespan"}, receive, send)
    assert sent == ["lifespan.startup.complete", "lifespan.shutdown.complete"]


# ---------------------------------------------------------------- bad input


@pytest.mark.parametrize(
    ("content", "code"), [("{", 1007), ("NaN", 1007), (b"{}", 1003)]
)
@pytest.mark.parametrize("invalid", ["close", "tell"])
async def test_a_message_in_another_encoding(tokens, content, code, invalid):
    chat = Echo(invalid=invalid)
    async with Peer(guarded(chat, tokens), tokens.mint("ann")) as peer:
        if isinstance(content, str):
            await peer.say_text(content)
        else:
            await peer.say_bytes(content)

        if invalid == "close":
            assert (await peer.closed())[0] == code
        else:
            error = await peer.hear()
            assert (error["type"], error["code"]) == ("error", "bad_message")
            await peer.say("fine")
            assert (await peer.hear())["message"] == "fine"

    assert ("message", "ann", "fine") in chat.calls or invalid == "close"
    assert chat.calls[-1] == ("disconnect", "ann")


async def test_a_message_too_big_and_a_flood_close_the_socket(tokens):
    app = guarded(Echo(max_message_size=100, max_rate=2), tokens)
    async with Peer(app, tokens.mint("ann")) as peer:
        await peer.say("a" * 100)
        assert (await peer.closed())[0] == 1009

    async with Peer(app, tokens.mint("ann")) as peer:
        for _ in range(5):
            await peer.say(1)

        assert (await peer.closed())[0] == 1008


# -------------------------------------------------------------------- hooks


@pytest.mark.parametrize("hook", ["on_connect", "on_message", "on_disconnect"])
async def test_an_exception_in_a_hook_ends_its_own_connection(tokens, hook, caplog):
    class Clumsy(Echo):
        pass

    async def fail(self, websocket, user_id, *rest):
        if user_id == "ann":
            raise ValueError("oops")

        await getattr(Echo, hook)(self, websocket, user_id, *rest)

    setattr(Clumsy, hook, fail)
    chat = Clumsy()
    app = guarded(chat, tokens)
    token = tokens.mint("ann")
    async with Peer(app, tokens.mint("bob")) as bob:
        async with Peer(app, token) as ann:
            if hook == "on_message":
                await ann.say("x")

            if hook != "on_disconnect":
                assert await ann.closed() == (1011, "internal error")

        await bob.say("still here")
        assert (await bob.hear())["message"] == "still here"

    records = [r for r in caplog.records if r.levelno >= logging.ERROR]
    assert [r.getMessage() for r in records] == [f"{hook} of Clumsy failed"]
    assert token not in caplog.text
    assert chat.calls[-1] == ("disconnect", "bob")


async def test_a_refusal_in_a_hook_closes_with_its_code(tokens, caplog):
    class Strict(WebSocketEndpoint):
        async def on_message(self, websocket, user_id, message):
            raise AuthorizationError

    async with Peer(guarded(Strict(), tokens), tokens.mint("ann")) as peer:
        await peer.say(1)
        assert await peer.closed() == (3003, "forbidden")

    assert not [r for r in caplog.records if r.levelno >= logging.WARNING]


async def test_a_disconnect_during_a_hook_is_quiet(tokens, caplog):
    left = asyncio.Event()

    class Slow(Echo):
        async def on_message(self, websocket, user_id, message):
            await left.wait()
            await websocket.send("late")

    chat = Slow()
    app = guarded(chat, tokens)
    peer = Peer(app, tokens.mint("ann"))
    send = peer._send

    async def gone(message):
        if left.is_set():
            raise OSError("the client has left")

        await send(message)

    peer._send = gone
    async with peer:
        await peer.say(1)
        await asyncio.sleep(0)
        left.set()

    assert chat.calls[-1] == ("disconnect", "ann")
    assert not [r for r in caplog.records if r.levelno >= logging.WARNING]


async def test_a_server_that_shuts_down_still_lets_the_hook_take_leave(tokens):
    chat = Echo(rooms=(rooms := Rooms()))
    peer = Peer(guarded(chat, tokens), tokens.mint("ann"))
    async with peer:
        assert len(rooms) == 1
        await peer.abort()
        peer.task = asyncio.create_task(asyncio.sleep(0))

    assert chat.calls[-1] == ("disconnect", "ann")
    assert len(rooms) == 0


# --------------------------------------------------------- re-authentication


async def test_a_token_in_a_message_extends_the_socket():
    clock = FakeClock()
    tokens = token_service(clock=clock)
    chat = Echo()
    async with Peer(guarded(chat, tokens), tokens.mint("ann", ttl=60)) as peer:
        clock.advance(50)
        await peer.say({"type": "auth", "token": tokens.mint("ann", ttl=60)})
        answer = await peer.hear()
        assert answer == {"type": "auth", "ok": True, "expires_at": clock() + 60}

        clock.advance(20)
        await peer.say("still here")
        assert (await peer.hear())["message"] == "still here"

    assert all(call[2] == "still here" for call in chat.calls if call[0] == "message")


@pytest.mark.parametrize("kind", ["somebody else's", "forged", "none", "a number"])
async def test_a_bad_token_in_a_message_closes_the_socket(tokens, kind):
    token = {
        "somebody else's": tokens.mint("bob"),
        "forged": tokens.mint("ann")[:-2] + "AA",
        "none": None,
        "a number": 7,
    }[kind]
    chat = Echo()
    async with Peer(guarded(chat, tokens), tokens.mint("ann")) as peer:
        await peer.say({"type": "auth", "token": token})
        assert await peer.closed() == (3000, "invalid_token")

    assert chat.calls[-1] == ("disconnect", "ann")


async def test_re_authentication_can_be_left_to_the_app(tokens):
    chat = Echo(reauthenticate=False)
    async with Peer(guarded(chat, tokens), tokens.mint("ann")) as peer:
        await peer.say({"type": "auth"})
        assert (await peer.hear())["message"] == {"type": "auth"}


async def test_expiry_calls_the_hook_and_leaves_the_rooms():
    clock = FakeClock()
    tokens = token_service(clock=clock)
    chat = Echo(rooms=(rooms := Rooms()))
    async with Peer(guarded(chat, tokens), tokens.mint("ann")) as peer:
        await tokens.revoke_subject("ann")
        assert await peer.closed() == (3000, "token_revoked")
        await until(lambda: len(rooms) == 0)

    assert chat.calls[-1] == ("disconnect", "ann")
