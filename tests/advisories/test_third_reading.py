"""What a third reading found: in sockets, streams, tickets and bound tokens."""

from __future__ import annotations

import asyncio
from itertools import count

import pytest

from asgi_auth import (
    ConnectionPolicy,
    ExpiredTokenError,
    Grant,
    JWTBackend,
    MemoryStore,
    RevokedTokenError,
    extend,
    identify,
)
from asgi_auth.credentials.reader import unfold
from asgi_auth.dpop import DPoP
from asgi_auth.dpop.errors import InvalidProofError
from asgi_auth.lifetime.deadlines import open_sockets
from asgi_auth.testing import FakeClock
from asgi_auth.websocket import Rooms, WebSocketConnection
from tests import forge
from tests.dpop import proofs
from tests.lifetime.listener import Listener, Source, opening
from tests.lifetime.test_polled_streams import Wire
from tests.routes.world import World, assert_problem, bearer, log_in
from tests.websocket.peer import Peer, guarded, token_service

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend():
    return "asyncio"


# ------------------------------------------------------------- who acts for somebody


async def acting(tokens):
    """Return an actor's session, and a token to act for Ann with."""
    pair = await tokens.issue("root")
    credential = unfold(pair.access_token.encode())
    actor = await JWTBackend(tokens).authenticate(credential, {})
    token = await tokens.impersonate("ann", actor=actor, grant=Grant())
    return pair.session_id, token


async def test_a_socket_of_an_actor_ends_with_the_actors_session():
    tokens = token_service()
    sid, token = await acting(tokens)

    async def app(scope, receive, send):
        await receive()
        await send({"type": "websocket.accept"})
        while (await receive())["type"] != "websocket.disconnect":
            pass

    async with Peer(guarded(app, tokens), token) as peer:
        await tokens.revoke_session(sid)
        assert await peer.closed() == (3000, "token_revoked")


async def test_a_stream_of_an_actor_ends_with_the_actors_session():
    tokens = token_service()
    sid, token = await acting(tokens)
    async with Listener(guarded(Source(), tokens), token) as peer:
        await tokens.revoke_session(sid)
        assert await peer.closed() == []


async def test_what_an_actor_without_a_session_does_ends_when_it_is_logged_out():
    """Its own token is no better than what was made with it."""
    clock = FakeClock()
    tokens = token_service(clock=clock)
    credential = unfold(tokens.mint("root").encode())
    actor = await JWTBackend(tokens).authenticate(credential, {})
    token = await tokens.impersonate("ann", actor=actor, grant=Grant())
    async with Listener(guarded(Source(), tokens), token) as peer:
        await tokens.revoke_subject("bob")
        await tokens.verify(token)
        await tokens.revoke_subject("root")
        assert await peer.closed() == []

    with pytest.raises(RevokedTokenError):
        await tokens.verify(token)

    clock.advance(1)  # Nor does it keep the actor from coming back.
    await tokens.verify(await tokens.impersonate("ann", actor=actor, grant=Grant()))


# ---------------------------------------- rooms of those who say later who they are


def lobby(rooms, seen):
    """Return an app that joins its room first, and hears whose it is then."""

    async def app(scope, receive, send):
        connection = WebSocketConnection(scope, receive, send)
        await connection.accept()
        await rooms.add(connection)
        try:
            await rooms.join(connection, "lobby")
            async for message in connection:
                await identify(scope, message["token"])
                seen.append([member.subject for member in rooms.members("lobby")])
                await connection.send_json("known")
        finally:
            rooms.remove(connection)

    return app


async def test_who_was_nobody_in_a_room_is_known_there_and_forgotten_afterwards():
    tokens, rooms, seen = token_service(), Rooms(presence=True), []
    app = guarded(lobby(rooms, seen), tokens)
    async with Peer(app) as watcher, Peer(app) as peer:
        assert (await watcher.hear())["event"] == "join"
        await peer.say({"token": tokens.mint("ann")})
        while await peer.hear() != "known":
            pass

        assert seen == [["", "ann"]]
        assert await watcher.hear() == {
            "type": "presence",
            "event": "join",
            "room": "lobby",
            "subject": "ann",
        }
        await rooms.send_to_user("ann", "for you")
        assert await peer.hear() == "for you"

    registry = rooms._registry
    tables = registry._devices, registry._members, registry._present, registry._rooms
    assert not any(tables)


async def test_who_was_nobody_counts_once_it_is_somebody():
    tokens, rooms = token_service(), Rooms(max_per_user=1)
    app = guarded(lobby(rooms, []), tokens)
    async with Peer(app) as first, Peer(app) as second:
        for peer in (first, second):
            await peer.say({"token": tokens.mint("ann")})

        assert await first.hear() == "known"
        assert (await second.closed())[1] == "too_many_connections"
        assert len(rooms) == 1


async def test_rooms_are_asked_about_again_when_nobody_becomes_somebody():
    answers = count()
    tokens = token_service()
    rooms = Rooms(may_join=lambda caller, _: not caller.subject or not next(answers))
    async with Peer(guarded(lobby(rooms, []), tokens)) as peer:
        for _ in range(2):  # The second time it is not let in any more.
            await peer.say({"token": tokens.mint("ann")})

        assert await peer.hear() == "known"
        assert (await peer.closed())[1] == "forbidden_room"
        assert not rooms.members("lobby")


# -------------------------------------------------------------------------- streams


@pytest.mark.parametrize(
    ("types", "headers"),
    [
        (["*"], []),
        (["*"], [(b"x-content-ty", b"a/b")]),
        (["text/event-stream"], [(b"content-type", b" \tText/Event-Stream")]),
    ],
)
async def test_what_streams_without_a_type_or_behind_a_space_ends(types, headers):
    tokens = token_service()

    async def app(scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        while (await receive())["type"] != "http.disconnect":
            pass

    wrapped = guarded(
        app, tokens, connection_policy=ConnectionPolicy(stream_types=types)
    )
    async with Listener(wrapped, tokens.mint("ann")) as peer:
        await tokens.revoke_subject("ann")
        assert await peer.closed() == []
        await asyncio.sleep(0)


@pytest.mark.parametrize("anyio_backend", ["trio"])
async def test_without_asyncio_a_stream_whose_time_is_over_waits_for_nobody():
    clock = FakeClock()
    tokens = token_service(clock=clock)
    wire, seen = Wire(tokens.mint("ann", ttl=60)), []

    async def app(scope, receive, send):
        await receive()
        await send(opening())
        clock.advance(60)  # While the app does something else.
        seen.append(await receive())

    await wire.run(guarded(app, tokens))
    assert seen == [{"type": "http.disconnect"}]
    assert wire.sent[-1]["more_body"] is False


# ----------------------------------------------------- what comes after the end


@pytest.mark.parametrize("of_nobody", [True, False])
@pytest.mark.parametrize("lifetime", ["token", "session"])
async def test_a_token_that_is_read_when_the_socket_is_gone_keeps_nothing(
    of_nobody, lifetime
):
    tokens, tasks, over = token_service(), [], asyncio.Event()
    token = (await tokens.issue("ann")).access_token

    async def load(principal):
        if tasks:
            await over.wait()
        return principal

    async def app(scope, receive, send):
        await receive()
        await send({"type": "websocket.accept"})
        tasks.append(asyncio.create_task(identify(scope, token)))
        await asyncio.sleep(0.01)

    policy = ConnectionPolicy(websockets=lifetime)
    wrapped = guarded(app, tokens, load_user=load, connection_policy=policy)
    before = open_sockets()
    async with Peer(wrapped, None if of_nobody else token) as peer:
        await peer.ended()

    over.set()
    with pytest.raises(ExpiredTokenError):
        await tasks[0]

    assert open_sockets() == before


async def test_a_token_that_is_read_when_the_stream_is_gone_keeps_nothing():
    tokens, tasks, over = token_service(), [], asyncio.Event()
    token = (await tokens.issue("ann")).access_token

    async def load(principal):
        if tasks:
            await over.wait()
        return principal

    async def app(scope, receive, send):
        await send(opening())
        tasks.append(asyncio.create_task(extend(scope, token)))
        await asyncio.sleep(0.01)

    before = open_sockets()
    async with Listener(guarded(app, tokens, load_user=load), token) as peer:
        await peer.ended()

    over.set()
    with pytest.raises(ExpiredTokenError):
        await tasks[0]

    assert open_sockets() == before


# -------------------------------------------------------- tickets, and bound tokens


async def test_what_a_client_asks_a_ticket_for_is_never_our_fault():
    world = World()
    await world.add()
    async with world.client() as client:
        fields = bearer(await log_in(client))
        for path, more in [
            ("/events", {"origin": "https://" + "x" * 9000}),
            ("/" + "\u4e00" * 1023, {}),
        ]:
            asked = {"path": path}
            answer = await client.post(
                "/ticket", json=asked, headers={**fields, **more}
            )
            assert_problem(answer, 400, "invalid_request")

        asked = {"path": "/" + "%C3%A9" * 170}
        assert (await client.post("/ticket", json=asked, headers=fields)).is_success


async def test_a_worker_whose_clock_is_behind_takes_no_proof_a_second_time():
    passed = [0.0]
    store = MemoryStore(clock=lambda: forge.NOW + passed[0])
    right, behind = [
        DPoP(
            proofs.ORIGIN,
            replay=store,
            clock=lambda late=late: forge.NOW + passed[0] - late,
        )
        for late in (0, 4)
    ]
    token = proofs.bound_token()
    used = proofs.scope(headers=proofs.headers(token, proofs.proof(token)))
    assert await right.proven(bare(used)) == proofs.CLIENT.thumbprint()
    passed[0] = 62  # For one of them it is too old, for the other not yet.
    for worker in (right, behind):
        with pytest.raises(InvalidProofError):
            await worker.proven(bare(used))


def bare(scope):
    """Return the same request once more."""
    return {**scope, "headers": [*scope["headers"]]}
