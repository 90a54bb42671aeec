from __future__ import annotations

import asyncio
import gc
import logging

import pytest

from asgi_auth._drivers.causes import cause_of
from asgi_auth._drivers.outages import Outage, known_outages
from asgi_auth._drivers.redis_faults import is_spoken_outage, redis_cause
from asgi_auth._drivers.sql_codes import words_on
from asgi_auth.events import Events
from asgi_auth.testing import FakeClock


@pytest.fixture
def clock():
    return FakeClock(1000.0)


@pytest.fixture
def outage(clock):
    return Outage("store", "the database 'x' at db:5432", clock=clock)


@pytest.fixture
def lines(caplog):
    caplog.set_level(logging.DEBUG, "asgi_auth.drivers")
    ours = "asgi_auth.drivers"  # Listeners of other tests may be alive.
    return lambda: [
        (r.levelname, r.getMessage()) for r in caplog.records if r.name == ours
    ]


def test_an_outage_is_one_warning_and_one_line_for_its_end(outage, clock, lines):
    for _ in range(100):
        outage.down("nothing listens there")
        clock.advance(0.1)

    outage.up()
    outage.up()
    assert lines() == [
        ("WARNING", "the database 'x' at db:5432 is down: nothing listens there"),
        ("INFO", "the database 'x' at db:5432 is back after 10.0 seconds"),
    ]


def test_what_flaps_writes_a_line_a_minute_at_most(outage, clock, lines):
    for _ in range(600):
        outage.down("it is starting")
        clock.advance(0.5)
        outage.up()
        clock.advance(0.5)

    assert 2 <= len(lines()) <= 10
    assert "119 more times since" in lines()[2][1]


def test_another_cause_is_told_of_in_the_same_outage(outage, clock, lines):
    outage.down("nothing listens there")
    clock.advance(130)
    outage.down("the password is wrong")
    assert [line for _, line in lines()] == [
        "the database 'x' at db:5432 is down: nothing listens there",
        "the database 'x' at db:5432 is down: the password is wrong",
    ]


async def test_each_listener_hears_of_an_outage_once_however_often_it_is_named(
    outage, clock
):
    heard = []

    async def listener(event):
        heard.append((event.name, dict(event.detail)))

    several = [Events(listener), Events(listener)]
    outage.down("nothing listens there")
    clock.advance(2)
    outage.up()
    await asyncio.sleep(0.01)
    place = {"place": "the database 'x' at db:5432", "cause": "nothing listens there"}
    assert heard == [("store.down", place), ("store.up", {**place, "seconds": 2.0})]
    several.clear()
    gc.collect()
    outage.down("again")
    await asyncio.sleep(0.01)
    assert len(heard) == 2


def test_what_a_process_depends_on_is_listed_while_it_lives(outage):
    assert outage in known_outages()
    assert "since=None" in repr(outage)


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("28P01", "the password, or the user name, is wrong"),
        ("28000", "the user is not let in from here (pg_hba.conf, the role, TLS)"),
        ("3D000", "there is no database of this name"),
        ("53300", "it has too many connections"),
        ("SQLITE_READONLY_DIRECTORY", "the file, or its file system, can only be read"),
        ("XX000", ""),
    ],
)
def test_codes_of_databases_have_words(code, words):
    assert words_on(code) == words


def made(kind, text):
    return type(kind, (Exception,), {})(text)


@pytest.mark.parametrize(
    ("kind", "text", "words"),
    [
        ("AuthenticationError", "invalid username-password pair", "(WRONGPASS)"),
        ("AuthenticationError", "Authentication required.", "the URL has none"),
        ("AuthenticationError", "x called without any password configured", "has one"),
        ("NoPermissionError", "this user has no permissions", "(NOPERM)"),
        ("ResponseError", "NOPERM no rights for key 'asgi-auth:s3cret'", "(NOPERM)"),
        ("ResponseError", "DB index is out of range", "no database of this number"),
        ("ResponseError", "x ERR -LOADING Redis is loading", "(LOADING)"),
        ("ConnectionError", "max number of clients reached", "(maxclients)"),
        ("InvalidResponse", "Protocol Error: b'HTTP/1.1'", "there is no Redis"),
        ("ConnectionError", "Error 111 redis://:s3cret@h", "ConnectionError"),
    ],
)
def test_words_of_redis_have_words(kind, text, words):
    cause = redis_cause(made(kind, text))
    assert words in cause
    assert "s3cret" not in cause


@pytest.mark.parametrize(
    ("text", "is_outage"),
    [
        ("LOADING Redis is loading", True),
        ("NOPERM no rights", True),
        ("DB index is out of range", True),
        ("WRONGTYPE Operation against a key", False),
    ],
)
def test_only_some_words_are_an_outage(text, is_outage):
    assert is_spoken_outage(text) is is_outage


def test_a_cause_is_found_however_deep():
    error = made("ConnectionError", "redis://:s3cret@h")
    error.__cause__ = ConnectionRefusedError()
    assert cause_of(error) == "ConnectionError: nothing listens there"
