"""Rooms in one process: who hears what, and who hears nothing."""

from __future__ import annotations

import asyncio
import contextlib

import pytest

from asgi_auth import ConfigurationError
from asgi_auth.websocket import (
    ForbiddenRoomError,
    Member,
    Rooms,
    WebSocketConnection,
    WebSocketEndpoint,
)
from asgi_auth.websocket.payload import Payload
from tests.asgi import denial_of, websocket_scope
from tests.websocket.peer import Peer, guarded, token_service, until


class Chat(WebSocketEndpoint):
    """Joins, leaves and talks as it is told."""

    async def on_message(self, websocket, user_id, message):
        verb, room = message["do"], message.get("room", "")
        if verb == "join":
            await self.rooms.join(websocket, room)
        elif verb == "leave":
            await self.rooms.leave(websocket, room)
        elif verb == "say":
            said = {"from": user_id, "text": message["text"]}
            await self.rooms.broadcast(room, said, exclude=websocket)
        elif verb == "tell":
            await self.rooms.send_to_user(message["to"], {"text": message["text"]})

        await websocket.send({"done": verb})


class House:
    """An app with rooms, and who visits it."""

    def __init__(self, chat=Chat, *, endpoint=(), tokens=None, **options):
        self.tokens = tokens or token_service()
        self.rooms = Rooms(**options)
        self.chat = chat(rooms=self.rooms, **dict(endpoint))
        self.app = guarded(self.chat, self.tokens)
        self.stack = contextlib.AsyncExitStack()

    async def __aenter__(self):
        return self

    async def __aexit__(self, *details):
        await self.stack.__aexit__(*details)

    async def visit(self, subject, *rooms):
        pair = await self.tokens.issue(subject)
        peer = Peer(self.app, pair.access_token)
        await self.stack.enter_async_context(peer)
        for room in rooms:
            await do(peer, "join", room=room)

        return peer


async def do(peer, verb, **more):
    """Tell the app to do something, and wait until it is done."""
    await peer.say({"do": verb, **more})
    while (answer := await peer.hear()) != {"done": verb}:
        if answer.get("type") == "error":
            return answer

    return None


async def test_a_broadcast_reaches_the_room_but_for_who_sent_it():
    async with House() as house:
        ann, bob = await house.visit("ann", "tea"), await house.visit("bob", "tea")
        eve = await house.visit("eve", "coffee")
        await do(ann, "say", room="tea", text="hi")

        assert await bob.hear() == {"from": "ann", "text": "hi"}
        assert await ann.silent()
        assert await eve.silent()


async def test_who_has_left_a_room_hears_it_no_more():
    async with House() as house:
        ann, bob = await house.visit("ann", "tea"), await house.visit("bob", "tea")
        await do(bob, "leave", room="tea")
        await do(bob, "leave", room="tea")
        await do(ann, "say", room="tea", text="hi")

        assert await bob.silent()
        assert house.rooms.members("tea") == [Member("ann", house.tokens.issuer)]


async def test_a_targeted_message_reaches_all_devices_of_its_user():
    async with House() as house:
        phone, laptop = await house.visit("ann"), await house.visit("ann", "tea")
        bob = await house.visit("bob", "tea")
        await do(bob, "tell", to="ann", text="psst")

        assert await phone.hear() == await laptop.hear() == {"text": "psst"}
        assert await bob.silent()


async def test_disconnect_closes_a_users_devices_or_one_session():
    async with House() as house:
        phone, laptop = await house.visit("ann"), await house.visit("ann")
        bob = await house.visit("bob")
        first = (await house.tokens.sessions("ann"))[0].sid
        await house.rooms.disconnect(session_id=first)
        assert await phone.closed() == (3003, "disconnected")
        assert await laptop.silent()

        await house.rooms.disconnect("ann", code=4001, reason="banned")
        assert await laptop.closed() == (4001, "banned")
        assert await bob.silent()
        await until(lambda: len(house.rooms) == 1)

    with pytest.raises(ConfigurationError):
        await house.rooms.disconnect()


async def test_logging_out_everywhere_closes_both_devices():
    async with House() as house:
        phone, laptop = await house.visit("ann", "tea"), await house.visit("ann", "tea")
        await house.tokens.revoke_subject("ann")

        assert await phone.closed() == await laptop.closed() == (3000, "token_revoked")
        await until(lambda: house.rooms.members("tea") == [])


async def test_a_forbidden_room_is_an_error_and_the_connection_goes_on():
    async def may_join(principal, room):
        await asyncio.sleep(0)
        return room != "board" or principal.subject == "ann"

    async with House(may_join=may_join) as house:
        ann, bob = await house.visit("ann", "board"), await house.visit("bob")
        error = await do(bob, "join", room="board")
        assert error == {"type": "error", "code": "forbidden_room", "room": "board"}
        assert await do(bob, "join", room="tea") is None
        assert house.rooms.members("board") == [Member("ann", house.tokens.issuer)]
        assert await ann.silent()


@pytest.mark.parametrize("name", ["", "a" * 201, None, 7, ["tea"], {"a": 1}])
async def test_what_is_no_name_of_a_room_is_refused(name):
    async with House() as house:
        ann = await house.visit("ann")
        assert (await do(ann, "join", room=name))["code"] == "forbidden_room"


async def test_a_connection_is_in_so_many_rooms_at_most():
    async with House(max_rooms=2) as house:
        ann = await house.visit("ann", "one", "two", "two")
        assert (await do(ann, "join", room="three"))["code"] == "forbidden_room"
        await do(ann, "leave", room="one")
        assert await do(ann, "join", room="three") is None


async def test_a_user_has_so_many_connections_at_most():
    async with House(max_per_user=2) as house:
        first = await house.visit("ann")
        await house.visit("ann")
        await house.visit("bob")
        pair = await house.tokens.issue("ann")
        peer = Peer(house.app, pair.access_token, denial=True)
        peer.start()
        await peer.ended()
        answer = denial_of(peer.sent)
        assert (answer.status, answer.json()["code"]) == (429, "too_many_connections")
        assert answer.header("retry-after")

        await first.leave()
        await house.visit("ann")


async def test_presence_tells_of_users_not_of_devices():
    async with House(presence=True) as house:
        bob = await house.visit("bob", "tea")
        phone = await house.visit("ann", "tea")
        come = {"type": "presence", "room": "tea", "subject": "ann"}
        assert await bob.hear() == {**come, "event": "join"}
        laptop = await house.visit("ann", "tea")
        await phone.leave()
        assert await bob.silent()
        await laptop.leave()
        assert await bob.hear() == {**come, "event": "leave"}


async def test_one_issuer_need_not_be_named_and_two_must():
    rooms = Rooms()
    held = []

    class Plain(WebSocketEndpoint):
        async def on_connect(self, websocket, user_id):
            held.append(websocket)

    ours = token_service()
    theirs = token_service(issuer="https://other.example")
    chat = Plain(rooms=rooms)
    async with Peer(guarded(chat, ours), ours.mint("ann")) as ann:
        await rooms.send_to_user("ann", 1)
        assert await ann.hear() == 1
        async with Peer(guarded(chat, theirs), theirs.mint("ann")) as other:
            with pytest.raises(ConfigurationError, match="several issuers"):
                await rooms.send_to_user("ann", 2)

            await rooms.send_to_user("ann", 3, issuer="https://other.example")
            assert await other.hear() == 3
            assert await ann.silent()


async def test_a_message_is_written_once_however_many_hear_it():
    class Counted(dict):
        """Counts how often it is looked through."""

        looks = 0

        def items(self):
            type(self).looks += 1
            return super().items()

    async with House() as house:
        peers = [await house.visit(f"user{n}", "tea") for n in range(5)]
        await house.rooms.broadcast("tea", Counted(a=1))
        assert [await peer.hear() for peer in peers] == [{"a": 1}] * 5
        assert len({id(peer.sent[-1]["text"]) for peer in peers}) == 1

    assert Counted.looks <= 1


async def test_each_encoding_hears_the_same_message():
    rooms = Rooms()
    tokens = token_service()

    class Listener(WebSocketEndpoint):
        async def on_connect(self, websocket, user_id):
            await rooms.join(websocket, "tea")

    async with contextlib.AsyncExitStack() as stack:
        peers = []
        for encoding in ("json", "text", "bytes"):
            app = guarded(Listener(rooms=rooms, encoding=encoding), tokens)
            peer = Peer(app, tokens.mint(encoding))
            peers.append(await stack.enter_async_context(peer))

        await until(lambda: len(rooms.members("tea")) == 3)
        heard = []
        for message in ("hi", {"a": 1}, b"\xff"):
            await rooms.broadcast("tea", message)
            heard.append([(await p.next()) for p in peers])

    texts = [[m.get("text", m.get("bytes")) for m in row] for row in heard]
    assert texts == [
        ['"hi"', "hi", b'"hi"'],
        ['{"a":1}', '{"a":1}', b'{"a":1}'],
        [b"\xff", b"\xff", b"\xff"],
    ]


async def test_a_message_that_has_no_json_form_reaches_nobody():
    async with House() as house:
        ann = await house.visit("ann", "tea")
        for bad in (float("nan"), object(), "\ud800"):
            with pytest.raises((ValueError, TypeError)):
                await house.rooms.broadcast("tea", bad)

        assert await ann.silent()


def test_payloads_are_written_once_for_each_encoding():
    payload = Payload.of({"a": 1})
    assert payload.frame("json") is payload.frame("json")
    assert payload.frame("bytes").message["bytes"] == b'{"a":1}'


async def test_a_stalled_member_is_closed_alone_and_delays_nobody():
    events = []

    async def note(event):
        events.append((event.name, event.subject))

    options = {"max_queue": 50}
    async with House(on_event=note, endpoint=options.items()) as house:
        peers = [await house.visit(f"user{n}", "tea") for n in range(50)]
        slow = peers[7]
        slow.reads.clear()
        for number in range(100):
            await house.rooms.broadcast("tea", number)

        for peer in peers:
            if peer is not slow:
                assert [await peer.hear() for _ in range(100)] == [*range(100)]

        await until(lambda: len(house.rooms) == 49)
        assert slow.log[-1] in {"websocket.send", "websocket.close"}
        slow.reads.set()
        assert await slow.closed() == (1013, "too slow")
        await until(lambda: events)

    assert events == [("socket.slow", "user7")]


async def test_too_many_bytes_are_too_slow_as_well():
    options = {"max_queue_bytes": 1000}
    async with House(endpoint=options.items()) as house:
        ann = await house.visit("ann", "tea")
        ann.reads.clear()
        for _ in range(4):
            await house.rooms.broadcast("tea", "a" * 400)

        ann.reads.set()
        assert await ann.closed() == (1013, "too slow")


async def test_a_client_that_reads_again_in_time_gets_all_in_order():
    async with House() as house:
        ann = await house.visit("ann", "tea")
        ann.reads.clear()
        for number in range(200):
            await house.rooms.broadcast("tea", number)

        await asyncio.sleep(0.01)
        ann.reads.set()
        assert [await ann.hear() for _ in range(200)] == [*range(200)]


async def test_two_broadcasts_arrive_everywhere_in_one_order():
    async with House() as house:
        peers = [await house.visit(f"user{n}", "tea") for n in range(150)]
        await asyncio.gather(*(house.rooms.broadcast("tea", n) for n in range(10)))
        orders = {tuple([await p.hear() for _ in range(10)]) for p in peers}

    assert len(orders) == 1


async def test_rooms_that_close_close_everybody():
    async with House() as house:
        ann = await house.visit("ann", "tea")
        await house.rooms.aclose()
        assert await ann.closed() == (1001, "going away")
        assert len(house.rooms) == 0


async def test_a_connection_that_the_rooms_do_not_know_says_what_to_do():
    rooms = Rooms()

    async def app(scope, receive, send):
        websocket = WebSocketConnection(scope, receive, send)
        await websocket.accept()
        with pytest.raises(ConfigurationError, match=r"rooms\.add"):
            await rooms.join(websocket, "tea")

        await rooms.add(websocket)
        await rooms.join(websocket, "tea")
        assert rooms.rooms_of(websocket) == {"tea"}
        rooms.remove(websocket)
        rooms.remove(websocket)
        assert rooms.rooms_of(websocket) == frozenset()

    tokens = token_service()
    async with Peer(guarded(app, tokens), tokens.mint("ann")) as peer:
        await peer.ended()


async def test_one_object_serves_one_loop_at_a_time():
    rooms = Rooms()

    async def enter(stack):
        tokens = token_service()
        app = guarded(WebSocketEndpoint(rooms=rooms), tokens)
        await stack.enter_async_context(Peer(app, tokens.mint("ann")))

    async with contextlib.AsyncExitStack() as stack:
        await enter(stack)

        def elsewhere():
            scope = websocket_scope()

            async def add():
                await rooms.add(WebSocketConnection(scope, None, None))

            with pytest.raises(ConfigurationError, match="one event loop"):
                asyncio.run(add())

        await asyncio.to_thread(elsewhere)


@pytest.mark.parametrize("options", [{"max_per_user": 0}, {"max_rooms": 0}])
def test_limits_that_let_nobody_in_are_refused(options):
    with pytest.raises(ConfigurationError):
        Rooms(**options)


def test_a_forbidden_room_is_a_refusal_like_others():
    assert ForbiddenRoomError("board").status == 403


@pytest.mark.parametrize("count", [300, pytest.param(10_000, marks=pytest.mark.slow)])
async def test_visitors_that_come_and_go_leave_no_entry_behind(count):
    async with House(presence=True) as house:
        before = len(asyncio.all_tasks())
        for number in range(count):
            peer = Peer(house.app, house.tokens.mint("ann"))
            async with peer:
                await do(peer, "join", room=f"room{number}")

            peer = Peer(house.app, "a.b.c")
            peer.start()
            await peer.ended()

        registry = house.rooms._registry
        assert not registry._devices
        assert not registry._rooms
        assert not registry._present
        assert len(registry) == 0
        assert len(asyncio.all_tasks()) == before
