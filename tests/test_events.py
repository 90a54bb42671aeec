from __future__ import annotations

import ast
import asyncio
import logging
import sys
import threading
import time
from pathlib import Path

import anyio
import anyio.lowlevel
import pytest

import asgi_auth
from asgi_auth import (
    AuthenticationMiddleware,
    Event,
    JWTBackend,
    KeySet,
    RateLimitedError,
    TokenService,
)
from asgi_auth import events as room
from asgi_auth._event_kinds import EVENT_KINDS
from asgi_auth.events import Events
from asgi_auth.ratelimit import Limits
from asgi_auth.ratelimit.limiter import Limit, RateLimiter
from tests.asgi import bearer, run
from tests.forge import SECRET


def event(name="session.created", **more):
    return Event(name=name, at=1.0, **more)


def finished(events):
    """Wait until the thread has worked off what was handed to it."""
    deadline = time.monotonic() + 10
    while events._queue.unfinished_tasks and time.monotonic() < deadline:
        time.sleep(0.001)

    assert not events._queue.unfinished_tasks


def test_without_a_listener_nothing_happens():
    events = Events()
    events.emit(event())
    assert events._thread is None


def test_a_sync_listener_gets_events_in_order_and_in_one_thread_of_its_own():
    got = []
    events = Events(lambda e: got.append((e.name, threading.get_ident())))
    for number in range(50):
        events.emit(event(str(number)))

    finished(events)
    assert [name for name, _ in got] == [str(number) for number in range(50)]
    (ident,) = {ident for _, ident in got}
    assert ident != threading.get_ident()


def test_a_listener_that_raises_is_logged_and_gets_the_next_event(caplog):
    got = []

    def listener(e):
        got.append(e.name)
        if e.name == "bad":
            raise KeyError("oops")

    events = Events(listener)
    with caplog.at_level(logging.ERROR, "asgi_auth"):
        events.emit(event("bad"))
        events.emit(event("good"))
        finished(events)

    assert got == ["bad", "good"]
    assert "bad" in caplog.text


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_listener_that_ends_its_thread_gets_the_next_event_in_another():
    got = []

    def listener(e):
        got.append(e.name)
        if e.name == "last":
            sys.exit()

    events = Events(listener)
    events.emit(event("last"))
    finished(events)
    events._thread.join(10)
    events.emit(event("after"))
    finished(events)
    assert got == ["last", "after"]


def test_a_listener_that_hangs_delays_nobody_and_the_surplus_is_dropped(caplog):
    go = threading.Event()
    got = []

    def listener(e):
        go.wait(30)
        got.append(e.name)

    events = Events(listener)
    with caplog.at_level(logging.WARNING, "asgi_auth"):
        for number in range(room._WAITING + 50):
            events.emit(event(str(number)))

    assert not got
    assert "lags" in caplog.text
    go.set()
    finished(events)
    assert room._WAITING <= len(got) < room._WAITING + 50
    assert got == sorted(got, key=int)


async def test_an_async_listener_runs_as_a_task():
    got = []

    async def listener(e):
        await anyio.lowlevel.checkpoint()
        got.append(e)

    Events(listener).emit(told := event(detail={"a": 1}))
    assert got == []
    await anyio.sleep(0.01)
    assert got == [told]


async def test_a_callable_object_may_be_async():
    got = []

    class Audit:
        async def __call__(self, e):
            got.append(e.name)

    events = Events(Audit())
    events.emit(event())
    await anyio.sleep(0.01)
    assert got == ["session.created"]
    assert events._thread is None


async def test_an_async_listener_that_raises_is_logged(caplog):
    async def listener(e):
        raise KeyError("oops")

    events = Events(listener)
    with caplog.at_level(logging.ERROR, "asgi_auth"):
        events.emit(event("bad"))
        await anyio.sleep(0.01)

    assert "bad" in caplog.text
    assert not events._tasks


async def test_an_async_listener_that_hangs_is_ended(caplog, monkeypatch):
    monkeypatch.setattr(room, "_PATIENCE", 0.01)

    async def listener(e):
        await asyncio.Event().wait()

    events = Events(listener)
    with caplog.at_level(logging.ERROR, "asgi_auth"):
        events.emit(event("slow"))
        await anyio.sleep(0.1)

    assert "slow" in caplog.text
    assert not events._tasks


async def test_async_listeners_that_lag_lose_events_and_no_memory(caplog):
    async def listener(e):
        await asyncio.Event().wait()

    events = Events(listener)
    with caplog.at_level(logging.WARNING, "asgi_auth"):
        for _ in range(room._WAITING + 10):
            events.emit(event())

    assert len(events._tasks) == room._WAITING
    assert caplog.text.count("lags") == 1
    assert events.dropped == 10
    for task in [*events._tasks]:
        task.cancel()


def test_an_async_listener_without_a_loop_is_passed_over(caplog):
    async def listener(e):
        raise AssertionError

    with caplog.at_level(logging.WARNING, "asgi_auth"):
        Events(listener).emit(event("lost"))

    assert "lost" in caplog.text


@pytest.mark.parametrize("is_async", [True, False])
async def test_a_log_in_is_told_of_and_does_not_wait(is_async):
    got = []
    hold = asyncio.Event()
    gate = threading.Event()

    async def slow(e):
        await hold.wait()
        got.append(e)

    def blocking(e):
        gate.wait(30)
        got.append(e)

    keys = KeySet.from_secret(SECRET)
    service = TokenService(keys, issuer="me", on_event=slow if is_async else blocking)
    pair = await service.issue("ada")
    assert pair.access_token
    assert got == []
    hold.set()
    gate.set()
    for _ in range(1000):
        if got:
            break
        await anyio.sleep(0.005)

    (told,) = got
    assert (told.name, told.issuer, told.subject) == ("session.created", "me", "ada")
    assert told.session_id
    for token in (pair.access_token, pair.refresh_token):
        assert token not in repr(told)


# ------------------------------------------------------------------- the table

PACKAGE = Path(asgi_auth.__file__).parent
GROUPS = {name.partition(".")[0] for name in EVENT_KINDS}
EMITTERS = {"tell", "report", "_report", "_tell", "end", "_emit", "_note", "Event"}


def names_in_code():
    """Find the texts that calls which emit are given, and look like names of events."""
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_bytes())):
            if not isinstance(node, ast.Call):
                continue

            called = getattr(node.func, "attr", getattr(node.func, "id", ""))
            if called in EMITTERS:
                given = [*node.args, *(keyword.value for keyword in node.keywords)]
                yield from (
                    inner.value
                    for argument in given
                    for inner in ast.walk(argument)
                    if isinstance(inner, ast.Constant) and isinstance(inner.value, str)
                )


def test_each_event_of_the_code_is_in_the_table():
    names = {name for name in names_in_code() if name.partition(".")[0] in GROUPS}
    emitted = {name for name in names if "." in name and not name.endswith(".")}
    assert {"session.created", "request.refused", "limit.exceeded"} <= emitted
    assert emitted <= EVENT_KINDS.keys()


async def test_an_event_says_what_the_table_says():
    heard = []

    async def listener(event):
        heard.append(event)

    events = Events(listener)
    tokens = TokenService(KeySet.from_secret(SECRET), issuer="me", on_event=events)
    pair = await tokens.issue("ada")
    app = AuthenticationMiddleware(None, JWTBackend(tokens), on_event=events)
    limiter = RateLimiter(limits=Limits(log_in=Limit(1, 60)), on_event=events)
    await tokens.refresh(pair.refresh_token)
    await tokens.revoke_subject("ada")
    await run(app, headers=[bearer(pair.access_token)])
    await limiter.consume("log_in", "ada")
    with pytest.raises(RateLimitedError):
        await limiter.consume("log_in", "ada")

    await anyio.sleep(0.01)
    assert [event.name for event in heard] == [
        "session.created",
        "session.rotated",
        "session.revoked",
        "request.refused",
        "limit.exceeded",
    ]
    for event in heard:
        kind = EVENT_KINDS[event.name]
        assert set(event.detail) == set(kind.detail)
        assert {name for name in kind.about if getattr(event, name)} <= set(kind.about)


def test_several_parts_share_one_queue():
    events = Events(print)
    tokens = TokenService(KeySet.from_secret(SECRET), on_event=events)
    assert tokens.events is events
    assert Events.of(events) is events
    assert not Events.of(None).has_listener
