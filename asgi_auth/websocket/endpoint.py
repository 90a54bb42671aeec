"""A WebSocket application as a class with three hooks.

It is a plain ASGI app: one object serves all connections, in any framework's route.
Who calls is known from the middleware; what a hook does wrong ends its own connection
and no other. Needs asyncio.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal

from asgi_auth._asgi import Receive, Scope, Send
from asgi_auth._logs import package_logger
from asgi_auth.errors import (
    AuthenticationError,
    AuthError,
    ConfigurationError,
    InvalidTokenError,
)
from asgi_auth.lifetime import SocketClosedError, extend
from asgi_auth.principal import get_principal
from asgi_auth.responses.deny import close_code, deny
from asgi_auth.websocket.connection import WebSocketConnection
from asgi_auth.websocket.errors import (
    BadMessageError,
    ForbiddenRoomError,
    WrongSubprotocolError,
)
from asgi_auth.websocket.payload import Encoding, decode
from asgi_auth.websocket.rooms import Rooms

__all__ = ["WebSocketEndpoint"]

_logger = package_logger(__name__)

_CRASH = 1011
_UPGRADE = (b"upgrade", b"websocket")


class WebSocketEndpoint:
    """Base class of WebSocket apps; override the hooks.

    Attributes:
        encoding: What :meth:`on_message` gets and ``websocket.send`` takes.
        rooms: Where its connections are known, if any.

    Args:
        rooms: Take each connection in and out of these.
        encoding: Instead of that of the class.
        subprotocols: What the app speaks; the first that the client offers is
            chosen, and a client that offers others only is refused.
        required: Refuse anonymous callers.
        reauthenticate: Understand ``{"type": "auth", "token": ...}`` in JSON: a good
            token lets the connection live on, a bad one closes it.
        invalid: What a message in another encoding leads to: ``close`` with 1003
            or 1007, or ``tell`` the client so.
        max_message_size: Greatest message that is taken, in bytes.
        max_rate: Messages a second that are taken on average, twice as many at once;
            ``None``: any number.
        max_queue: Messages that may wait for a client before it is too slow.
        max_queue_bytes: Bytes that may wait for it.
    """

    encoding: Encoding = "json"

    def __init__(
        self,
        *,
        rooms: Rooms | None = None,
        encoding: Encoding | None = None,
        subprotocols: Iterable[str] = (),
        required: bool = True,
        reauthenticate: bool = True,
        invalid: Literal["close", "tell"] = "close",
        max_message_size: int = 65536,
        max_rate: float | None = 100.0,
        max_queue: int = 256,
        max_queue_bytes: int = 8 << 20,
    ) -> None:
        self.rooms = rooms
        self.encoding = encoding or self.encoding
        if self.encoding not in {"json", "text", "bytes"}:
            msg = 'encoding must be "json", "text" or "bytes".'
            raise ConfigurationError(msg)

        self._subprotocols = tuple(subprotocols)
        self._required = required
        self._reauthenticates = reauthenticate and self.encoding == "json"
        self._tells = invalid == "tell"
        self._limits: dict[str, Any] = {
            "max_message_size": max_message_size,
            "max_rate": max_rate,
            "max_queue": max_queue,
            "max_queue_bytes": max_queue_bytes,
        }

    async def on_connect(self, websocket: WebSocketConnection, user_id: str) -> None:
        """Greet a caller; the connection is open, and in ``rooms``.

        Args:
            websocket: The connection.
            user_id: The subject of its principal.
        """

    async def on_message(
        self, websocket: WebSocketConnection, user_id: str, message: Any
    ) -> None:
        """Take one message; the next one comes when this is done.

        Args:
            websocket: The connection.
            user_id: The subject of its principal.
            message: What the client sent, in ``encoding``.
        """

    async def on_disconnect(self, websocket: WebSocketConnection, user_id: str) -> None:
        """Take leave; called once for each :meth:`on_connect`.

        Args:
            websocket: The connection, closed, and out of ``rooms`` after this.
            user_id: The subject of its principal.
        """

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] != "websocket":
            await _answer(scope, receive, send)
            return

        websocket = WebSocketConnection(
            scope, receive, send, encoding=self.encoding, **self._limits
        )
        try:
            self._check(websocket)
            if self.rooms is not None:
                await self.rooms.add(websocket)
        except AuthError as error:
            await deny(error, scope, receive, send)
            return

        try:
            await self._serve(websocket)
        except SocketClosedError:
            pass  # While it was being accepted.
        finally:
            if self.rooms is not None:
                self.rooms.remove(websocket)

    def _check(self, websocket: WebSocketConnection) -> None:
        principal = get_principal(websocket.scope)
        if self._required and not principal.is_authenticated:
            raise principal.error or AuthenticationError

        # Browsers fail a socket whose offer gets no answer: better to say why.
        offered = set(websocket.subprotocols)
        if offered and self._subprotocols and not offered & {*self._subprotocols}:
            raise WrongSubprotocolError

    async def _serve(self, websocket: WebSocketConnection) -> None:
        offered = websocket.subprotocols
        subprotocol = next((p for p in self._subprotocols if p in offered), None)
        await websocket.accept(subprotocol)
        user_id = websocket.user_id
        try:
            if await self._run("on_connect", websocket, user_id):
                await self._converse(websocket, user_id)
        finally:
            await self._run("on_disconnect", websocket, user_id)

    async def _converse(self, websocket: WebSocketConnection, user_id: str) -> None:
        while True:
            try:
                message = decode(await websocket.receive(), self.encoding)
            except SocketClosedError:
                return
            except BadMessageError as error:
                if not await self._note_fault(websocket, error):
                    return

                continue

            if self._reauthenticates and _is_auth(message):
                going_on = await self._reauthenticate(websocket, message)
            else:
                going_on = await self._run("on_message", websocket, user_id, message)

            if not going_on:
                return

    async def _run(
        self, hook: str, websocket: WebSocketConnection, *arguments: Any
    ) -> bool:
        """Call a hook; say whether the connection goes on."""
        try:
            await getattr(self, hook)(websocket, *arguments)
        except SocketClosedError:
            return False  # The client has left meanwhile.
        except ForbiddenRoomError as error:
            return await self._tell(websocket, error.code, room=error.room)
        except AuthError as error:
            await websocket.close(close_code(error), error.code)
            return False
        except Exception:
            _logger.exception("%s of %s failed", hook, type(self).__name__)
            await websocket.close(_CRASH, "internal error")
            return False

        return True

    async def _reauthenticate(
        self, websocket: WebSocketConnection, message: dict[str, Any]
    ) -> bool:
        token = message.get("token")
        try:
            if not isinstance(token, str):
                raise InvalidTokenError

            principal = await extend(websocket.scope, token)
        except AuthError as error:
            await websocket.close(close_code(error), error.code)
            return False
        except ConfigurationError:
            _logger.exception("re-authentication is not possible here")
            await websocket.close(_CRASH, "internal error")
            return False

        return await self._tell(websocket, "auth", expires_at=principal.expires_at)

    async def _note_fault(
        self, websocket: WebSocketConnection, error: BadMessageError
    ) -> bool:
        if self._tells:
            return await self._tell(websocket, error.code, detail=str(error))

        await websocket.close(error.close_code, str(error))
        return False

    async def _tell(
        self, websocket: WebSocketConnection, code: str, **facts: Any
    ) -> bool:
        """Send a message of our own; say whether the connection goes on."""
        head = {"type": "auth", "ok": True} if code == "auth" else _error(code)
        try:
            await websocket.send({**head, **facts})
        except SocketClosedError:
            return False

        return True


def _error(code: str) -> dict[str, Any]:
    return {"type": "error", "code": code}


def _is_auth(message: Any) -> bool:
    return isinstance(message, dict) and message.get("type") == "auth"


async def _answer(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer what is no WebSocket."""
    if scope["type"] == "lifespan":
        while (message := await receive())["type"] == "lifespan.startup":
            await send({"type": "lifespan.startup.complete"})

        await send({"type": f"{message['type']}.complete"})
        return

    # RFC 9110, section 15.5.22.
    headers = [_UPGRADE, (b"connection", b"upgrade"), (b"content-length", b"0")]
    await send({"type": "http.response.start", "status": 426, "headers": headers})
    await send({"type": "http.response.body", "body": b""})
