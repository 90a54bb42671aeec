"""GraphQL and Socket.IO, whose clients say in their first message who they are."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import gc
import json
import warnings
from collections.abc import AsyncGenerator

import pytest
import socketio
import strawberry
from socketio.exceptions import ConnectionError as NotConnectedError
from strawberry.asgi import GraphQL
from strawberry.exceptions import ConnectionRejectionError
from strawberry.types import Info
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from asgi_auth import (
    AuthenticationMiddleware,
    AuthError,
    JWTBackend,
    get_principal,
    identify,
    requires,
)
from asgi_auth.websocket import FirstMessages
from tests.idp.serving import serving
from tests.servers.application import token_service

# The client of Socket.IO forgets to close what the server has closed; when it is
# collected, another test here may be running.
pytestmark = pytest.mark.filterwarnings(
    "ignore:Exception ignored in.*socket:pytest.PytestUnraisableExceptionWarning"
)

TOKENS = token_service()
PROTOCOLS = ("graphql-transport-ws", "graphql-ws")
SUBSCRIPTION = {"query": "subscription { ticks }"}

readers = requires("read")


@strawberry.type
class Query:
    @strawberry.field
    def whoami(self, info: Info) -> str:
        return get_principal(info.context["request"].scope).subject


@strawberry.type
class Subscription:
    @strawberry.subscription
    async def ticks(self, info: Info) -> AsyncGenerator[str, None]:
        scope = info.context["request"].scope
        readers.check(scope)
        while True:
            yield get_principal(scope).subject
            await asyncio.sleep(0.02)


class API(GraphQL):
    async def __call__(self, scope, receive, send):
        if scope["type"] != "lifespan":
            await super().__call__(scope, receive, send)
            return

        for step in ("startup", "shutdown"):
            await receive()
            await send({"type": f"lifespan.{step}.complete"})

    async def on_ws_connect(self, context):
        token = context["connection_params"].get("token", "")
        try:
            await identify(context["request"].scope, token)
        except AuthError as error:
            raise ConnectionRejectionError({"code": error.code}) from error

        return await super().on_ws_connect(context)


def chat():
    server = socketio.AsyncServer(async_mode="asgi")

    @server.event
    async def connect(sid, environ, auth):
        try:
            await identify(environ["asgi.scope"], (auth or {}).get("token", ""))
        except AuthError:
            return False

    @server.event
    async def whoami(sid):
        scope = server.get_environ(sid)["asgi.scope"]
        readers.check(scope)
        return get_principal(scope).subject

    return socketio.ASGIApp(server)


@pytest.fixture(scope="module")
def serve():
    with contextlib.ExitStack() as stack:

        @functools.cache
        def start(make):
            def build(_):
                app = FirstMessages(make(), within=1.0)
                return AuthenticationMiddleware(app, JWTBackend(TOKENS))

            return stack.enter_context(serving(build))

        yield start

    # What is left of it must not be collected in another file's tests.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()


def graphql():
    return API(strawberry.Schema(query=Query, subscription=Subscription))


@contextlib.contextmanager
def talking(base, protocol, token):
    url = base.replace("http", "ws") + "/graphql"
    with connect(url, subprotocols=[protocol], proxy=None, open_timeout=20) as socket:
        init = {"type": "connection_init", "payload": {"token": token}}
        socket.send(json.dumps(init))
        yield socket


def hear(socket):
    """Return the next message that is not there to keep the connection open."""
    while True:
        message = json.loads(socket.recv(timeout=10))
        if message["type"] not in {"ka", "ping"}:
            return message


def rest(socket):
    """Return all that comes until the server closes the socket."""
    messages = []
    with contextlib.suppress(ConnectionClosed):
        while True:
            messages.append(hear(socket))

    return messages


def subscribe(socket, protocol):
    kind = "subscribe" if protocol == PROTOCOLS[0] else "start"
    socket.send(json.dumps({"id": "1", "type": kind, "payload": SUBSCRIPTION}))


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_connection_init_says_who_subscribes(serve, protocol):
    token = TOKENS.mint("ann", scopes=["read"])
    with talking(serve(graphql), protocol, token) as socket:
        assert hear(socket)["type"] == "connection_ack"
        subscribe(socket, protocol)
        assert hear(socket)["payload"]["data"] == {"ticks": "ann"}


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_guard_knows_who_it_is(serve, protocol):
    with talking(serve(graphql), protocol, TOKENS.mint("ann")) as socket:
        assert hear(socket)["type"] == "connection_ack"
        subscribe(socket, protocol)
        assert "ticks" not in str(hear(socket)["payload"] or {})


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("token", ["", "x", "a.b.c"])
def test_a_bad_token_is_rejected(serve, protocol, token):
    with talking(serve(graphql), protocol, token) as socket:
        assert "connection_ack" not in [message["type"] for message in rest(socket)]


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_subscription_ends_with_its_token(serve, protocol):
    token = TOKENS.mint("ann", scopes=["read"], ttl=2)
    with talking(serve(graphql), protocol, token) as socket:
        hear(socket)
        subscribe(socket, protocol)
        assert rest(socket)

    assert (socket.close_code, socket.close_reason) == (3000, "token_expired")


def test_a_socket_that_says_nothing_is_closed(serve):
    url = serve(graphql).replace("http", "ws") + "/graphql"
    with connect(url, subprotocols=[PROTOCOLS[0]], proxy=None) as socket:
        assert rest(socket) == []

    assert socket.close_code == 3000


@contextlib.contextmanager
def chatting(base, token):
    client = socketio.Client(reconnection=False)
    try:
        client.connect(base, auth={"token": token}, transports=["websocket"])
        yield client
    finally:
        client.disconnect()


def test_the_auth_of_socket_io_says_who_it_is(serve):
    base = serve(chat)
    with chatting(base, TOKENS.mint("ann", scopes=["read"])) as client:
        assert client.call("whoami", timeout=20) == "ann"


@pytest.mark.parametrize("token", ["", "x"])
def test_a_bad_token_opens_no_socket_io(serve, token):
    with pytest.raises(NotConnectedError), chatting(serve(chat), token):
        pass


def test_socket_io_ends_with_its_token(serve):
    gone = []
    token = TOKENS.mint("ann", scopes=["read"], ttl=2)
    with chatting(serve(chat), token) as client:
        client.on("disconnect", lambda *reason: gone.append(reason))
        for _ in range(100):
            if gone:
                break
            client.sleep(0.05)

    assert gone
