"""Rooms that span processes: over a fan-out in memory, and over real servers."""

from __future__ import annotations

import asyncio

import pytest

from asgi_auth import ConfigurationError
from asgi_auth.websocket import Member, RedisFanout, Rooms, redis_fanout
from asgi_auth.websocket.envelope import wrap
from asgi_auth.websocket.fanout import LocalFanout
from asgi_auth.websocket.presence import Elsewhere
from tests.stores.valkey import valkey_cluster, valkey_server
from tests.websocket.peer import ISSUER, token_service, until
from tests.websocket.test_rooms import House, do


@pytest.fixture(scope="module")
def valkey():
    with valkey_server() as server:
        yield server


@pytest.fixture(scope="module")
def cluster():
    with valkey_cluster() as started:
        yield started


@pytest.fixture(params=["memory", "valkey", "cluster"])
async def fanouts(request):
    """Give a function that makes the fan-out of one process."""
    made = []
    shared = LocalFanout()

    def make():
        if request.param == "memory":
            return shared

        server = request.getfixturevalue(request.param)
        is_cluster = request.param == "cluster"
        made.append(
            RedisFanout(server.url, cluster=is_cluster, prefix=request.node.name)
        )
        return made[-1]

    yield make
    for fanout in made:
        await fanout.aclose()


async def test_rooms_of_two_processes_are_one(fanouts):
    async with House(fanout=fanouts()) as one, House(fanout=fanouts()) as two:
        ann, bob = await one.visit("ann", "tea"), await two.visit("bob", "tea")
        eve = await two.visit("eve", "coffee")
        await do(ann, "say", room="tea", text="hi")
        assert await bob.hear() == {"from": "ann", "text": "hi"}
        await do(bob, "say", room="tea", text="yes?")
        assert await ann.hear() == {"from": "bob", "text": "yes?"}
        assert await eve.silent()
        assert await bob.silent()


async def test_targeted_messages_reach_devices_in_all_processes(fanouts):
    async with House(fanout=fanouts()) as one, House(fanout=fanouts()) as two:
        phone, laptop = await one.visit("ann"), await two.visit("ann")
        await one.rooms.send_to_user("ann", {"text": "psst"})
        assert await phone.hear() == await laptop.hear() == {"text": "psst"}


async def test_a_process_without_connections_can_send(fanouts):
    third = Rooms(fanout=fanouts(), issuer=ISSUER)
    async with House(fanout=fanouts()) as one:
        ann = await one.visit("ann", "tea")
        await third.send_to_user("ann", 1)
        assert await ann.hear() == 1
        await third.broadcast("tea", b"\x00\n\xff")
        assert (await ann.next())["bytes"] == b"\x00\n\xff"
        await third.disconnect("ann")
        assert await ann.closed() == (3003, "disconnected")


async def test_a_message_goes_to_the_user_of_the_senders_issuer_only(fanouts):
    """Each process sees callers of one issuer, and both have a user called ann."""
    theirs = token_service(issuer="https://other.example")
    async with (
        House(fanout=fanouts()) as one,
        House(fanout=fanouts(), tokens=theirs) as two,
    ):
        ours, other = await one.visit("ann"), await two.visit("ann")
        await one.rooms.send_to_user("ann", "for ours")
        assert await ours.hear() == "for ours"
        await one.rooms.send_to_user("ann", "for them", issuer="https://other.example")
        assert await other.hear() == "for them"
        await two.rooms.disconnect("ann")
        assert await other.closed() == (3003, "disconnected")
        assert await ours.silent()


async def test_an_issuer_of_which_nothing_is_known_must_be_named(fanouts):
    rooms = Rooms(fanout=fanouts())
    for work in (rooms.send_to_user("ann", 1), rooms.disconnect("ann")):
        with pytest.raises(ConfigurationError, match=r"Rooms\(issuer=...\)"):
            await work

    await rooms.send_to_user("ann", 1, issuer="")
    await rooms.disconnect(session_id="any")


async def test_tokens_without_an_issuer_are_named_by_an_empty_text(fanouts):
    nameless = token_service(issuer=None)
    async with House(fanout=fanouts(), tokens=nameless) as one:
        ann = await one.visit("ann")
        await Rooms(fanout=fanouts(), issuer="").send_to_user("ann", 1)
        assert await ann.hear() == 1


async def test_who_is_left_out_is_left_out_everywhere(fanouts):
    async with House(fanout=fanouts()) as one, House(fanout=fanouts()) as two:
        ann, bob = await one.visit("ann", "tea"), await two.visit("bob", "tea")
        await one.rooms.broadcast("tea", 1, exclude=["bob"])
        await one.rooms.broadcast("tea", 2)
        assert [await ann.hear(), await ann.hear()] == [1, 2]
        assert await bob.hear() == 2


async def test_presence_spans_processes(fanouts):
    options = {"presence": True}
    async with (
        House(fanout=fanouts(), **options) as one,
        House(fanout=fanouts(), **options) as two,
    ):
        bob = await one.visit("bob", "tea")
        ann = await two.visit("ann", "tea")
        come = {"type": "presence", "room": "tea", "subject": "ann"}
        assert await bob.hear() == {**come, "event": "join"}
        names = {"ann", "bob"}
        await until(lambda: {m.subject for m in two.rooms.members("tea")} == names)
        await until(lambda: {m.subject for m in one.rooms.members("tea")} == names)

        again = await one.visit("ann", "tea")
        await ann.leave()
        await until(lambda: one.rooms._cluster.elsewhere.members("tea") == [])
        await again.leave()
        assert await bob.hear() == {**come, "event": "leave"}


async def test_a_process_that_comes_later_learns_who_is_there(fanouts):
    async with House(fanout=fanouts()) as one:
        await one.visit("bob", "tea")
        async with House(fanout=fanouts()) as two:
            await two.visit("ann")
            bob = Member("bob", one.tokens.issuer)
            await until(lambda: two.rooms.members("tea") == [bob])

        # Its last connection has gone, and so has what it knew.
        await until(lambda: len(one.rooms._cluster.elsewhere) == 0)


async def test_sessions_are_closed_in_all_processes(fanouts):
    async with House(fanout=fanouts()) as one, House(fanout=fanouts()) as two:
        ann = await two.visit("ann")
        sid = (await two.tokens.sessions("ann"))[0].sid
        await one.visit("bob")
        await one.rooms.disconnect(session_id=sid)
        assert await ann.closed() == (3003, "disconnected")


async def test_nonsense_in_the_fan_out_harms_nobody(caplog):
    fanout = LocalFanout()
    async with House(fanout=fanout) as house:
        ann = await house.visit("ann", "tea")
        for bad in (
            b"",
            b"{",
            b"[]",
            b"{}",
            b"\xff",
            wrap("x", "join"),
            wrap("x", "room"),
        ):
            fanout.publish("all", bad)
            fanout.publish("room:tea", bad)

        fanout.publish("all", wrap("x", "of the future"))
        await do(ann, "say", room="tea", text="fine")

    assert "malformed" in caplog.text


def test_a_silent_process_is_taken_for_gone():
    elsewhere = Elsewhere()
    ann = Member("ann")
    elsewhere.heard("p", 0)
    elsewhere.join("p", "tea", ann)
    assert elsewhere.silent(15) == []
    assert elsewhere.silent(16) == ["p"]
    assert elsewhere.forget("p") == {("tea", ann)}
    assert elsewhere.members("tea") == []


@pytest.mark.alone
async def test_while_the_server_is_down_local_members_still_talk(monkeypatch):
    events = []

    async def note(event):
        events.append(event.name)

    with valkey_server() as server:
        async with (
            House(fanout=RedisFanout(server.url), on_event=note) as one,
            House(fanout=RedisFanout(server.url)) as two,
        ):
            ann, bob = await one.visit("ann", "tea"), await one.visit("bob", "tea")
            eve = await two.visit("eve", "tea")
            server.kill()
            await until(lambda: "fanout.down" in events)

            # Who had to wait for the server would wait for longer than that.
            monkeypatch.setattr(redis_fanout, "_PATIENCE", 600.0)
            async with asyncio.timeout(60):
                await do(ann, "say", room="tea", text="hi")
                assert await bob.hear() == {"from": "ann", "text": "hi"}
                joined = await one.visit("zoe", "cake")

            monkeypatch.undo()
            assert await eve.silent()

            server.start()
            await until(lambda: "fanout.up" in events, patience=15)
            await until(
                lambda: (
                    two.rooms._cluster.elsewhere.members("cake")
                    and len(two.rooms.members("tea")) == 3
                ),
                patience=15,
            )
            await do(ann, "say", room="tea", text="back")
            assert await eve.hear() == {"from": "ann", "text": "back"}
            assert await joined.silent()

        for house in (one, two):
            await house.rooms.aclose()

    assert events[:2] == ["fanout.down", "fanout.up"]


@pytest.mark.alone
async def test_a_server_that_falls_silent_is_noticed():
    events = []

    async def note(event):
        events.append(event.name)

    with valkey_server() as server:
        async with House(fanout=RedisFanout(server.url), on_event=note) as house:
            await house.visit("ann", "tea")
            server.pause()
            try:
                await until(lambda: events == ["fanout.down"], patience=15)
            finally:
                server.resume()

            await until(lambda: events == ["fanout.down", "fanout.up"], patience=15)

        await house.rooms.aclose()


async def test_a_connection_that_ends_under_a_call_is_an_outage(valkey, caplog):
    heard, reports = [], []
    fanout = RedisFanout(valkey.url, prefix="ends")
    fanout.report_to(reports.append)
    await fanout.subscribe("tea", heard.append)
    await until(lambda: fanout._session is not None)

    # Where another task closes it meanwhile, redis-py has looked before it writes.
    connection = fanout._session._pubsub.connection

    class Closing(type(connection)):
        looks_open = True

        @property
        def is_connected(self):
            return self.looks_open or super().is_connected

        async def disconnect(self, *args, **options):
            self.looks_open = False
            await super().disconnect(*args, **options)

    connection.__class__ = Closing
    writer, connection._writer = connection._writer, None
    await fanout.subscribe("cake", heard.append)
    writer.close()

    await until(lambda: reports[:2] == [False, True], patience=60)
    async with asyncio.timeout(60):
        while not heard:
            # Its way is another connection: the first may come before the channels.
            fanout.publish("cake", b"hi")
            await asyncio.sleep(0.05)

    await fanout.aclose()
    records = [r for r in caplog.records if r.name.startswith("asgi_auth")]
    causes = [
        r.getMessage().partition(" is down: ")[2] for r in records if r.levelno > 20
    ]
    assert causes == ["AttributeError: the connection ended under a call"]


async def test_a_server_that_was_never_there_delays_nobody():
    async with House(fanout=RedisFanout("redis://127.0.0.1:1/0")) as house:
        ann = await house.visit("ann", "tea")
        bob = await house.visit("bob", "tea")
        await do(ann, "say", room="tea", text="hi")
        assert await bob.hear() == {"from": "ann", "text": "hi"}

    await house.rooms.aclose()


async def test_closing_leaves_no_task_behind(valkey):
    before = asyncio.all_tasks()
    async with House(fanout=RedisFanout(valkey.url)) as house:
        await house.visit("ann", "tea")

    await house.rooms.aclose()
    await asyncio.sleep(0)
    assert asyncio.all_tasks() == before


async def test_closing_while_it_connects_leaves_nothing_behind(valkey):
    before = asyncio.all_tasks()
    for turns in range(12):
        fanout = RedisFanout(valkey.url)
        fanout.publish("tea", b"hi")
        for _ in range(turns):
            await asyncio.sleep(0)

        async with asyncio.timeout(10):
            await fanout.aclose()

    assert asyncio.all_tasks() == before


def test_a_url_that_is_none_is_refused_and_not_shown():
    with pytest.raises(ConfigurationError) as refused:
        RedisFanout("http://user:hunter2@host")

    assert "hunter2" not in str(refused.value)
    assert "hunter2" not in repr(RedisFanout("redis://user:hunter2@host"))
