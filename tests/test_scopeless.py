"""Guards on functions that get no request are noticed where they are written."""

from __future__ import annotations

import functools
import logging

import pytest

from asgi_auth import (
    AuthenticationMiddleware,
    JWTBackend,
    ScopePolicy,
    requires,
)
from asgi_auth._scopeless import Scopeless
from asgi_auth.guards import wrapping
from asgi_auth.guards._calls import gets_no_connection, place_of
from tests import forge
from tests.asgi import Echo

guard = requires("a")


@pytest.fixture
def process(monkeypatch, caplog):
    """Be a process that has made no middleware yet."""
    fresh = Scopeless()
    monkeypatch.setattr(wrapping, "scopeless", fresh)
    monkeypatch.setattr("asgi_auth.middleware.scopeless", fresh)
    caplog.set_level(logging.WARNING, "asgi_auth.guards")


def protect(**options):
    AuthenticationMiddleware(Echo(), JWTBackend(forge.verifier()), **options)


def write(name="tool"):
    async def tool(): ...

    tool.__qualname__ = name
    return guard(tool)


def said(caplog):
    return [record.getMessage() for record in caplog.records]


def test_it_is_told_when_the_middleware_is_made(process, caplog):
    write("early")
    assert said(caplog) == []
    protect()
    (message,) = said(caplog)
    assert message.startswith(f"early ({__file__}:")
    assert "track_current=True" in message
    protect()
    assert len(said(caplog)) == 1


def test_it_is_told_when_the_guard_is_written_afterwards(process, caplog):
    protect()
    write("late")
    (message,) = said(caplog)
    assert message.startswith("late (")


@pytest.mark.parametrize("first", [True, False])
def test_where_requests_are_tracked_there_is_nothing_to_tell(process, caplog, first):
    if first:
        protect(scope_policy=ScopePolicy(track_current=True))

    write()
    protect(scope_policy=ScopePolicy(track_current=True))
    write()
    protect()
    assert said(caplog) == []


def none(): ...


def plain(number: int, name: str | None = None, *, flag: bool = False): ...


def unclear(number): ...


def mixed(number: int, request): ...


def loose(*args): ...


def named(**kwargs: int): ...


class Service:
    def method(self, number: int): ...


def declared(number: "int | None", deep: "list[int]"): ...  # noqa: UP037


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        (none, True),
        (plain, True),
        (functools.partial(plain, 1), True),
        (unclear, False),
        (mixed, False),
        (loose, False),
        (named, False),
        (Service.method, False),
        (Service().method, True),
        (declared, False),
        (map, False),
        (7, False),
    ],
)
def test_only_what_can_get_no_request_is_told_of(function, expected):
    assert gets_no_connection(function) is expected


def test_annotations_may_be_types_or_texts():

    def typed(number, name): ...

    typed.__annotations__ = {"number": int, "name": str | None}
    assert gets_no_connection(typed)
    typed.__annotations__ = {"number": int, "name": dict}
    assert not gets_no_connection(typed)


def test_a_place_is_named_as_well_as_it_can_be():
    assert place_of(none) == f"none ({__file__}:{none.__code__.co_firstlineno})"
    assert place_of(functools.partial(none)) == "partial"
