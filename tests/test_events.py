from __future__ import annotations

import asyncio
import logging
import sys
import threading
import time

import anyio
import anyio.lowlevel
import pytest

from asgi_auth import Event, KeySet, TokenService
from asgi_auth import events as room
from asgi_auth.events import Events
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
