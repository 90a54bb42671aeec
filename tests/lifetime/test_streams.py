"""An HTTP stream ends with its token or its session, whatever runs inside."""

from __future__ import annotations

import asyncio
import gc
import time
import tracemalloc

import pytest

from asgi_auth import (
    ConfigurationError,
    ConnectionPolicy,
    Grant,
    InsufficientScopeError,
    InvalidTokenError,
    SessionPolicy,
    extend,
    get_principal,
    requires,
)
from asgi_auth.lifetime import StreamClosedError
from asgi_auth.testing import FakeClock
from tests.asgi import http_scope, run
from tests.circles import no_circle
from tests.lifetime.listener import EVENTS, Listener, Source, bearer, event, opening
from tests.websocket.peer import guarded, token_service, until

LAST = {"type": "http.response.body", "body": b"", "more_body": False}


def stream(**options):
    """Return a clock, the service, the app, and it behind the middleware."""
    clock = FakeClock()
    tokens = token_service(clock=clock)
    app = Source()
    return clock, tokens, app, guarded(app, tokens, **options)


async def test_an_idle_stream_ends_at_its_expiry():
    clock, tokens, app, wrapped = stream()
    async with Listener(wrapped, tokens.mint("ann", ttl=60)) as peer:
        await app.events.put("one")
        assert (await peer.next())["body"] == b"data: one\n\n"
        clock.advance(60)
        app.lifetime.wait()  # The timer's callback.

        assert await peer.closed() == []
        await peer.ended()

    assert app.seen == ["http.disconnect"]


async def test_it_ends_within_100_ms_of_the_expiry():
    tokens = token_service()
    token = tokens.mint("ann", ttl=2)
    ends_at = (await tokens.verify(token))["exp"]
    # A timer beside it: where the machine is late, it is late for both.
    timer = asyncio.create_task(asyncio.sleep(ends_at - time.time(), ends_at))
    rung = asyncio.get_running_loop().create_future()
    timer.add_done_callback(lambda _: rung.set_result(time.time()))
    async with Listener(guarded(Source(), tokens), token) as peer:
        await peer.closed()

    closed_at = time.time()
    assert closed_at >= ends_at
    assert closed_at - max(ends_at, await rung) < 0.1


async def test_a_revoked_subject_hears_nothing_more():
    _, tokens, _, wrapped = stream()
    async with Listener(wrapped, tokens.mint("ann")) as peer:
        other = Listener(wrapped, tokens.mint("bob"))
        async with other:
            await tokens.revoke_subject("ann")
            assert await peer.closed() == []
            await peer.ended()
            assert await other.silent()


async def test_an_app_that_only_sends_is_ended_and_then_stumbles():
    tokens = token_service()
    errors = []

    async def push(scope, receive, send):
        await send(opening())
        try:
            while True:
                await send(event())
                await asyncio.sleep(0.001)
        except OSError as error:
            errors.append(error)
            raise

    async with Listener(guarded(push, tokens), tokens.mint("ann")) as peer:
        await peer.next()
        await tokens.revoke_subject("ann")
        await peer.closed()
        await peer.ended()  # What servers raise is no fault of the app.

    assert isinstance(errors[0], StreamClosedError)
    assert errors[0].reason == "token_revoked"


async def test_a_task_of_the_app_that_sends_is_told():
    tokens = token_service()
    errors, over = [], asyncio.Event()

    async def speak(send):
        await over.wait()
        for _ in range(2):
            try:
                await send(event("late"))
            except OSError as error:
                errors.append(error)

    async def app(scope, receive, send):
        await send(opening())
        speaker = asyncio.create_task(speak(send))
        app.scope = scope
        await speaker

    async with Listener(guarded(app, tokens), tokens.mint("ann")) as peer:
        await tokens.revoke_subject("ann")
        assert await peer.closed() == []
        over.set()
        await peer.ended()

    assert len(errors) == 2


async def test_an_error_raised_for_the_end_is_swallowed():
    tokens = token_service()

    class ClientDisconnect(Exception):  # noqa: N818  (as Starlette has it)
        pass

    async def push(scope, receive, send):
        await send(opening())
        try:
            while True:
                await send(event())
                await asyncio.sleep(0.001)
        except OSError:
            raise ClientDisconnect  # noqa: B904  (likewise)

    async def grouped(scope, receive, send):
        async with asyncio.TaskGroup() as group:
            group.create_task(push(scope, receive, send))

    for subject, app in {"ann": push, "bob": grouped}.items():
        async with Listener(guarded(app, tokens), tokens.mint(subject)) as peer:
            await tokens.revoke_subject(subject)
            await peer.closed()
            await peer.ended()


async def test_a_bug_in_a_stream_stays_one():
    tokens = token_service()

    async def broken(scope, receive, send):
        await send(opening())
        raise LookupError

    peer = Listener(guarded(broken, tokens), tokens.mint("ann"))
    async with peer:
        with pytest.raises(LookupError):
            await peer.ended()
        peer.task = asyncio.create_task(asyncio.sleep(0))


async def test_an_app_that_ignores_the_disconnect_is_told_and_then_stopped():
    tokens = token_service()
    told = []

    async def deaf(scope, receive, send):
        await send(opening())
        while True:
            told.append((await receive())["type"])

    async with Listener(guarded(deaf, tokens), tokens.mint("ann")) as peer:
        await tokens.revoke_subject("ann")
        await peer.closed()
        await peer.ended()

    assert 1 < told.count("http.disconnect") < 100


async def test_all_tasks_that_wait_for_the_client_are_told():
    tokens = token_service()
    seen = []

    async def listen(receive):
        while (message := await receive())["type"] != "http.disconnect":
            pass
        seen.append(message["type"])

    async def app(scope, receive, send):
        listeners = [asyncio.create_task(listen(receive)) for _ in range(2)]
        await asyncio.sleep(0)
        await send(opening())
        await asyncio.gather(*listeners)

    async with Listener(guarded(app, tokens), tokens.mint("ann")) as peer:
        await tokens.revoke_subject("ann")
        await peer.closed()
        await peer.ended()

    assert seen == ["http.disconnect"] * 2


async def test_a_task_that_is_cancelled_by_others_stays_cancelled():
    _, tokens, app, wrapped = stream()
    async with Listener(wrapped, tokens.mint("ann")) as peer:
        lifetime = app.lifetime
        peer.task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await peer.ended()
        assert lifetime not in list(lifetime._deadlines), "nothing is left behind"
        peer.task = asyncio.create_task(asyncio.sleep(0))


async def test_a_client_that_reads_nothing_holds_nobody_up():
    tokens = token_service()
    failed = asyncio.Event()

    async def push(scope, receive, send):
        await send(opening())
        try:
            while True:
                await send(event())
                await asyncio.sleep(0)
        except OSError:
            failed.set()

    async with Listener(guarded(push, tokens), tokens.mint("ann")) as peer:
        peer.reads.clear()
        await until(lambda: peer.log[-1] == "http.response.body")
        await tokens.revoke_subject("ann")
        await until(lambda: peer.log.count("http.response.body") > 1)
        peer.reads.set()
        async with asyncio.timeout(30):
            await failed.wait()
        await peer.ended()


async def test_a_client_that_leaves_ends_the_stream_for_good():
    clock, tokens, app, wrapped = stream()
    async with Listener(wrapped, tokens.mint("ann", ttl=60)) as peer:
        lifetime = app.lifetime
        peer.incoming.put_nowait({"type": "http.disconnect"})
        await peer.ended()
        clock.advance(100)
        lifetime.wait()
        assert await peer.silent()
        assert lifetime not in list(lifetime._deadlines)


async def test_a_stream_that_ends_by_itself_is_left_alone():
    clock, tokens, app, wrapped = stream()
    async with Listener(wrapped, tokens.mint("ann", ttl=60)) as peer:
        lifetime = app.lifetime
        await app.events.put(None)
        assert not (await peer.next())["more_body"]
        clock.advance(100)
        lifetime.wait()
        assert await peer.silent()


@pytest.mark.parametrize(
    "kind",
    [b"application/json", b"text/plain", b"application/octet-stream", b"text/event"],
)
async def test_an_ordinary_response_and_a_download_are_never_cut(kind):
    clock, tokens, _, _ = stream()
    app = Source(kind=kind)
    async with Listener(guarded(app, tokens), tokens.mint("ann", ttl=60)) as peer:
        clock.advance(1000)
        await tokens.revoke_subject("ann")
        await app.events.put("more")
        assert (await peer.next())["body"] == b"data: more\n\n"
        assert app.lifetime is None


@pytest.mark.parametrize(
    "kind",
    [
        b"text/event-stream",
        b"text/event-stream; charset=utf-8",
        b"Text/Event-Stream",
    ],
)
async def test_a_stream_is_known_by_its_content_type(kind):
    _, tokens, _, _ = stream()
    app = Source(kind=kind)
    async with Listener(guarded(app, tokens), tokens.mint("ann")) as peer:
        await tokens.revoke_subject("ann")
        assert await peer.closed() == []


@pytest.mark.parametrize(
    "kind",
    [
        b"application/x-ndjson",
        b"application/json-seq",
        b"multipart/x-mixed-replace; boundary=b",
    ],
)
async def test_other_streams_end_if_they_are_named(kind):
    _, tokens, _, _ = stream()
    app = Source(kind=kind)
    named = kind.decode().partition(";")[0]
    for types in (["text/event-stream", named], [named.upper()], ["*"], named):
        tokens = token_service()
        wrapped = guarded(
            app, tokens, connection_policy=ConnectionPolicy(stream_types=types)
        )
        async with Listener(wrapped, tokens.mint("ann")) as peer:
            await tokens.revoke_subject("ann")
            assert await peer.closed() == []


@pytest.mark.parametrize("types", [["event-stream"], ["text/ä"], ["a/b/c"], [""]])
def test_a_media_type_has_a_slash(types):
    with pytest.raises(ConfigurationError, match="stream_types"):
        ConnectionPolicy(stream_types=types)


def test_a_stream_ends_with_a_token_a_session_or_nothing():
    with pytest.raises(ConfigurationError, match="streams must be"):
        ConnectionPolicy(streams="never")


async def test_streams_end_by_themselves_if_nothing_else_is_wanted():
    clock, tokens, app, wrapped = stream(
        connection_policy=ConnectionPolicy(streams=None)
    )
    async with Listener(wrapped, tokens.mint("ann", ttl=60)) as peer:
        clock.advance(1000)
        await tokens.revoke_subject("ann")
        await app.events.put("more")
        assert (await peer.next())["body"] == b"data: more\n\n"
        assert app.lifetime is None


async def test_a_stream_of_nobody_ends_by_itself():
    _, _, app, wrapped = stream()
    async with Listener(wrapped) as peer:
        assert app.lifetime is None
        with pytest.raises(InvalidTokenError):
            await extend(app.scope, "x")
        await app.events.put("free")
        assert (await peer.next())["body"] == b"data: free\n\n"


def lists(headers):
    """Return the pairs as lists, which the specification allows."""
    return [list(pair) for pair in headers]


@pytest.mark.parametrize("headers", [tuple, iter, lists])
async def test_headers_may_be_such_as_can_be_read_once_only(headers):
    tokens = token_service()

    async def app(scope, receive, send):
        start = opening()
        await send({**start, "headers": headers(start["headers"])})
        await receive()
        await receive()

    async with Listener(guarded(app, tokens), tokens.mint("ann")) as peer:
        assert list(peer.start["headers"]) == [(b"content-type", EVENTS)]
        await tokens.revoke_subject("ann")
        assert await peer.closed() == []


async def test_a_stream_promises_no_length_that_it_may_not_keep():
    tokens = token_service()

    async def app(scope, receive, send):
        await send(opening(EVENTS, (b"content-length", b"1000")))
        await send(event())
        await receive()
        await receive()

    async with Listener(guarded(app, tokens), tokens.mint("ann")) as peer:
        await tokens.revoke_subject("ann")
        assert peer.start["headers"] == [(b"content-type", EVENTS)]
        assert await peer.closed() == [b"data: tick\n\n"]


async def test_a_token_that_ends_before_the_stream_begins_ends_it_at_once():
    clock = FakeClock()
    tokens = token_service(clock=clock)

    async def slow(scope, receive, send):
        clock.advance(100)
        await send(opening())
        await receive()
        await receive()

    async with Listener(guarded(slow, tokens), tokens.mint("ann", ttl=60)) as peer:
        assert await peer.closed() == []


async def test_extend_gives_a_stream_the_life_of_another_token():
    clock, tokens, app, wrapped = stream()
    async with Listener(wrapped, tokens.mint("ann", ttl=60)) as peer:
        longer = tokens.mint("ann", ttl=600, scopes=["more"])
        routed = {**app.scope}  # As routers do.
        principal = await extend(routed, longer)
        assert "more" in principal.scopes
        assert get_principal(app.scope) is principal
        clock.advance(60)
        app.lifetime.wait()
        assert await peer.silent()
        clock.advance(540)
        app.lifetime.wait()
        assert await peer.closed() == []


async def test_nobody_else_extends_a_stream():
    clock, tokens, app, wrapped = stream()
    async with Listener(wrapped, tokens.mint("ann", ttl=60)) as peer:
        for token in (tokens.mint("bob"), "x", "é", "x" * 10_000):
            with pytest.raises(InvalidTokenError):
                await extend(app.scope, token)
        clock.advance(60)
        app.lifetime.wait()
        assert await peer.closed() == []


async def test_a_stream_that_has_not_begun_cannot_be_extended():
    tokens = token_service()
    raised = []

    async def app(scope, receive, send):
        try:
            await extend(scope, tokens.mint("ann"))
        except ConfigurationError as error:
            raised.append(error)
        await send(opening())
        await send(event(more=False))

    headers = [bearer(tokens.mint("ann"))]
    assert (await run(guarded(app, tokens), headers=headers)).status == 200
    assert raised


async def test_guards_are_asked_again_when_the_caller_changes():
    _, tokens, app, _ = stream()
    wrapped = guarded(requires("read")(requires(roles="editor")(app)), tokens)
    token = tokens.mint("ann", scopes=["read"], roles=["editor"], ttl=60)
    async with Listener(wrapped, token) as peer:
        await extend(app.scope, tokens.mint("ann", scopes=["read"], roles=["editor"]))
        assert await peer.silent()
        with pytest.raises(InsufficientScopeError):
            await extend(app.scope, tokens.mint("ann", scopes=["read"]))
        assert await peer.closed() == []


async def test_a_session_lets_a_stream_go_on_and_ends_it():
    clock = FakeClock()
    tokens = token_service(clock=clock, session_policy=SessionPolicy(access_ttl=60))
    app = Source()
    wrapped = guarded(
        app, tokens, connection_policy=ConnectionPolicy(streams="session")
    )
    pair = await tokens.issue("ann")
    async with Listener(wrapped, pair.access_token) as peer:
        clock.advance(61)
        app.lifetime.wait()
        await asyncio.sleep(0.01)
        assert await peer.silent()
        await tokens.revoke_session(pair.session_id)
        assert await peer.closed() == []


async def test_a_role_that_is_lost_ends_a_stream_of_a_session():
    clock = FakeClock()
    rights = {"roles": ["editor"]}

    def grant(subject):
        return Grant(**rights)

    tokens = token_service(
        clock=clock, session_policy=SessionPolicy(access_ttl=60), claims_loader=grant
    )
    app = Source()
    wrapped = guarded(
        requires(roles="editor")(app),
        tokens,
        connection_policy=ConnectionPolicy(streams="session"),
    )
    pair = await tokens.issue("ann", roles=["editor"])
    async with Listener(wrapped, pair.access_token) as peer:
        rights["roles"] = ["reader"]
        clock.advance(61)
        app.lifetime.wait()
        assert await peer.closed() == []


async def test_streams_leave_no_circle_behind():
    tokens = token_service()
    app = Source()
    wrapped = guarded(requires()(app), tokens)
    with no_circle():
        async with Listener(wrapped, tokens.mint("ann")) as peer:
            await tokens.revoke_subject("ann")
            await peer.closed()
            await peer.ended()
            app.scope = None
            del peer
        await asyncio.sleep(0)


async def test_open_streams_take_little_memory_and_one_timer():
    tokens = token_service()
    token = tokens.mint("ann")
    hold = asyncio.Event()

    async def app(scope, receive, send):
        await send(opening())
        await hold.wait()

    async def send(message):
        pass

    async def receive():
        await asyncio.Event().wait()

    async def open_streams(wrapped, count):
        tasks = [
            asyncio.create_task(
                wrapped(http_scope(headers=[bearer(token)]), receive, send)
            )
            for _ in range(count)
        ]
        for _ in range(5):
            await asyncio.sleep(0)
        return tasks

    count, sizes = 1000, []
    for lifetime in (None, "token"):
        wrapped = guarded(
            app, tokens, connection_policy=ConnectionPolicy(streams=lifetime)
        )
        await asyncio.gather(*await warm(open_streams, wrapped, hold))
        hold.clear()
        gc.collect()
        tracemalloc.start()
        timers = len(asyncio.get_running_loop()._scheduled)
        tasks = await open_streams(wrapped, count)
        gc.collect()
        sizes.append(tracemalloc.get_traced_memory()[0] / count)
        tracemalloc.stop()
        assert len(asyncio.get_running_loop()._scheduled) <= timers + 1
        hold.set()
        await asyncio.gather(*tasks)

    assert sizes[1] - sizes[0] <= 2048, sizes


async def warm(open_streams, wrapped, hold):
    tasks = await open_streams(wrapped, 1)
    hold.set()
    return tasks


async def test_content_types_that_are_no_streams_are_remembered_up_to_a_bound():
    tokens = token_service()
    kinds = [f"text/x-{number}".encode() for number in range(150)]

    async def app(scope, receive, send):
        await send(opening(kinds[int(scope["path"][1:])]))
        await send(event(more=False))

    wrapped = guarded(app, tokens)
    headers = [bearer(tokens.mint("ann"))]
    for number in [*range(150), 149]:
        assert (await run(wrapped, f"/{number}", headers=headers)).status == 200
    assert len(wrapped._http[3]) == 100


async def test_a_response_without_a_content_type_is_no_stream():
    tokens = token_service()

    async def app(scope, receive, send):
        start = {**opening(), "headers": [(b"x-content-ty", b"text/event-stream")]}
        await send(start)
        await send(event(more=False))

    answer = await run(guarded(app, tokens), headers=[bearer(tokens.mint("ann"))])
    assert answer.status == 200


async def test_a_message_that_arrives_as_the_stream_ends_is_not_heard():
    """Its task has been told to stop already, and had no need to."""
    tokens = token_service()
    waiting = asyncio.Event()
    heard = []

    async def receive():
        waiting.set()
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            return {"type": "http.request", "body": b"late"}

    async def app(scope, receive, send):
        await send(opening())
        heard.append((await receive())["type"])

    async def send(message):
        pass

    scope = http_scope("/events", headers=[bearer(tokens.mint("ann"))])
    task = asyncio.create_task(guarded(app, tokens)(scope, receive, send))
    await waiting.wait()
    await tokens.revoke_subject("ann")
    await asyncio.wait_for(task, 20)
    assert heard == ["http.disconnect"]
    assert not task.cancelling()
