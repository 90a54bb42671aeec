from __future__ import annotations

import asyncio
import logging

import pytest

from asgi_auth.credentials.reader import Credential
from asgi_auth.errors import (
    AuthenticationError,
    ConfigurationError,
    InvalidTokenError,
    UnavailableError,
)
from asgi_auth.events import Events
from asgi_auth.responses.deny import deny
from asgi_auth.responses.state import RequestState, make_state
from asgi_auth.responses.watch import UNWATCHED, Watch, reason_of
from tests.asgi import http_scope


class Route:
    path = "/orders/{id}"


@pytest.fixture
def quiet(caplog):
    caplog.set_level(logging.INFO, "asgi_auth")
    return caplog


async def heard_by(scope, *, credential=None):
    heard = []

    async def listener(event):
        heard.append(event)

    watch = Watch(Events(listener), lambda credential: "jwt")
    watch.refuse(InvalidTokenError("forged"), scope, credential)
    await asyncio.sleep(0.01)
    (event,) = heard
    return event


async def test_events_come_where_the_log_is_quiet(quiet):
    event = await heard_by(http_scope("/"), credential=Credential(b"t", "cookie"))
    assert (event.detail["backend"], event.detail["source"]) == ("jwt", "cookie")
    assert not quiet.records


@pytest.mark.parametrize(
    ("more", "path"),
    [
        ({"route": Route()}, "/orders/{id}"),
        ({"path_template": "/orders/{id:int}"}, "/orders/{id:int}"),
        ({"route": object()}, None),
        ({}, None),
    ],
)
async def test_the_path_is_that_of_the_route_and_never_the_clients(more, path):
    event = await heard_by({**http_scope("/orders/secret-7"), **more})
    assert event.detail["path"] == path
    assert "secret-7" not in repr(event)


async def test_a_refusal_without_a_middleware_is_logged(caplog):
    caplog.set_level(logging.DEBUG, "asgi_auth")

    async def send(message):
        """Take it."""

    await deny(InvalidTokenError("forged"), http_scope("/"), None, send)
    (record,) = caplog.records
    assert record.getMessage().endswith("backend none, source none: forged")


def test_a_credential_that_nobody_watches_has_no_backend(caplog):
    caplog.set_level(logging.DEBUG, "asgi_auth")
    UNWATCHED.refuse(
        AuthenticationError(), {"type": "websocket"}, Credential(b"t", "header")
    )
    assert "websocket , backend none, source header" in caplog.text


def test_one_refusal_is_noted_once(caplog):
    caplog.set_level(logging.DEBUG, "asgi_auth")
    state, error = make_state(RequestState), AuthenticationError()
    state.note(error, http_scope("/"))
    state.note(error, http_scope("/"))
    state.note(AuthenticationError(), http_scope("/"))
    assert len(caplog.records) == 2


def test_reasons_go_down_to_the_first_cause_whose_words_are_not_ours():
    error = UnavailableError("tries cannot be counted")
    error.__cause__ = ConfigurationError("a table is missing")
    error.__cause__.__cause__ = OSError("postgresql://u:s3cret@h")
    error.__cause__.__cause__.__cause__ = ValueError("s3cret")
    expected = "tries cannot be counted; because: a table is missing; because: OSError"
    assert reason_of(error) == expected


def test_a_reason_is_not_said_twice_and_ends_somewhere():
    error = UnavailableError("down")
    error.__cause__ = error
    assert reason_of(error) == "down"
