"""Socket.IO behind the middleware, on a real server."""

from __future__ import annotations

import contextlib
import functools

import pytest
import socketio
from socketio.exceptions import ConnectionError as NotConnectedError

from asgi_auth import AuthenticationMiddleware, JWTBackend, get_principal, requires
from tests import forge
from tests.idp.serving import serving

guard = requires("a")


def chat():
    server = socketio.AsyncServer(async_mode="asgi")

    @server.event
    async def connect(sid, environ):
        return guard.allows(environ["asgi.scope"])

    @server.event
    async def whoami(sid):
        scope = server.get_environ(sid)["asgi.scope"]
        return get_principal(scope).subject

    return socketio.ASGIApp(server)


@pytest.fixture(scope="module")
def serve():
    """Start a server for each way of protecting it, once."""
    with contextlib.ExitStack() as stack:

        @functools.cache
        def start(required):
            def make(_):
                backend = JWTBackend(forge.verifier())
                return AuthenticationMiddleware(chat(), backend, required=required)

            return stack.enter_context(serving(make))

        yield start


def subject(base, *, scope=None):
    """Return who the server says is calling; ``None`` where it lets nobody in."""
    token = forge.token(scope=scope).decode()
    headers = {} if scope is None else {"Authorization": f"Bearer {token}"}
    client = socketio.Client(reconnection=False)
    try:
        client.connect(base, headers=headers, transports=["websocket"])
        return client.call("whoami", timeout=20)
    except NotConnectedError:
        return None
    finally:
        client.disconnect()


# Not by polling: the client sends the header with its first request only, and where it
# is refused, it waits for the end of a poll.
@pytest.mark.parametrize("required", [True, False])
def test_a_handler_knows_the_caller_and_lets_in_whom_it_should(serve, required):
    base = serve(required)
    assert subject(base, scope="a") == "ada"
    assert subject(base, scope="b") is None
    assert subject(base) is None
