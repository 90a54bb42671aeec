"""Write refusals: the only module that answers a caller who is turned away.

It never decides whether to refuse. HTTP gets a problem document (RFC 9457); a
WebSocket gets the same before it is accepted, and a close code after it.
"""

from __future__ import annotations

from collections.abc import Iterable
from http import HTTPStatus

from asgi_auth._asgi import Headers, Receive, Scope, Send
from asgi_auth.errors import AuthError
from asgi_auth.responses.problem import headers_of, problem_of
from asgi_auth.responses.state import RequestState, state_of

__all__ = ["answer", "close_code", "deny", "response_to"]

# IANA's WebSocket close codes: 3000 unauthorized, 3003 forbidden, 1013 try later.
_CLOSE_CODES = {403: 3003, 429: 1013, 503: 1013}


async def deny(error: AuthError, scope: Scope, receive: Receive, send: Send) -> None:
    """Answer a refused caller.

    Args:
        error: Why; its ``public_message`` is all that the client learns.
        scope: Of the request or socket.
        receive: Not read; here so that this is an error handler like any other.
        send: Where the answer goes.
    """
    await answer(error, scope, send, state_of(scope))


async def answer(
    error: AuthError,
    scope: Scope,
    send: Send,
    state: RequestState,
    kept: Iterable[tuple[bytes, bytes]] = (),
) -> None:
    """Do what :func:`deny` does, for who has the exchange at hand.

    Args:
        error: Why.
        scope: Of the request or socket.
        send: Where the answer goes.
        state: What is known of the request or socket.
        kept: Further headers, of the answer that this one takes the place of.
    """
    state.note(error, scope)
    if scope["type"] == "http":
        prefix = "http.response"
        if state.body is not None:
            await state.body.drain(scope)

    elif state.started:
        close = {"code": close_code(error), "reason": error.code}
        await send({"type": "websocket.close", **close})
        return
    elif "websocket.http.response" in (scope.get("extensions") or ()):
        prefix = "websocket.http.response"
    else:
        await send({"type": "websocket.close", "code": close_code(error)})
        return

    status, headers, body = _worded(error, scope, state)
    headers = [*headers, *kept]
    await send({"type": prefix + ".start", "status": status, "headers": headers})
    content = b"" if scope.get("method") == "HEAD" else body
    await send({"type": prefix + ".body", "body": content, "more_body": False})


def response_to(error: AuthError, scope: Scope) -> tuple[int, Headers, bytes]:
    """Return status, headers and body, for frameworks that send for themselves.

    Args:
        error: Why; its ``public_message`` is all that the client learns.
        scope: Of the request or socket.
    """
    state = state_of(scope)
    state.note(error, scope)
    status, headers, body = _worded(error, scope, state)
    return status, [*headers], body


def close_code(error: AuthError) -> int:
    """Return the close code of a WebSocket that is refused after it was accepted."""
    return _CLOSE_CODES.get(error.status, 3000)


def _worded(
    error: AuthError, scope: Scope, state: RequestState
) -> tuple[int, Iterable[tuple[bytes, bytes]], bytes]:
    """Return status, headers and body, as the application words them for people."""
    wording = state.watch.wording
    if wording is None or scope["type"] != "http":
        return problem_of(error, state.challenges)

    response = wording(error, scope)
    if response is None:
        return problem_of(error, state.challenges)

    body = response.content
    own = [(n.lower().encode(), v.encode("latin-1")) for n, v in response.headers]
    names = {name for name, _ in own}
    more = [
        (b"content-length", str(len(body)).encode()),
        (b"cache-control", b"no-store"),
    ]
    if response.status >= HTTPStatus.BAD_REQUEST:
        more += headers_of(error, state.challenges)

    return response.status, [*own, *(h for h in more if h[0] not in names)], body
