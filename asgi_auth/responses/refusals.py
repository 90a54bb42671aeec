"""Answer refusals within an app, for what stands between there and our middleware.

It identifies no caller, and does nothing where no ``AuthenticationMiddleware`` stands
around.
"""

from __future__ import annotations

from collections.abc import Awaitable, Iterable, Mapping
from typing import Any

from asgi_auth._asgi import ASGIApp, Receive, Scope, Send
from asgi_auth.errors import AuthError
from asgi_auth.responses.sender import Reply, SocketReply, refusal_in
from asgi_auth.responses.state import KEY, RequestState, make_state

__all__ = ["RefusalMiddleware"]


class RefusalMiddleware:
    """Answer here what guards within refuse.

    Put it within the tools of an app that ``AuthenticationMiddleware`` is wrapped
    around: what counts, traces and reports then sees a 401 or 403 and no crash. What
    the app itself makes of an ``AuthError`` further within comes first.

    Args:
        app: What refuses.
    """

    __slots__ = ("_app",)

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> Any:
        """Call the app, and answer its refusal; return what the app does."""
        outer = scope.get(KEY)
        if not isinstance(outer, RequestState):
            return await self._app(scope, receive, send)

        kind = _InnerReply if scope["type"] == "http" else _InnerSocketReply
        reply = make_state(kind, {**scope}, send)
        reply.follow(outer)
        try:
            result = await self._app(scope, receive, reply.send)
        except (AuthError, BaseExceptionGroup) as error:
            refusal = refusal_in(error)
            if refusal is None or not await reply.settle(refusal):
                raise

            return None

        if reply.refusal is not None:
            await reply.settle(reply.refusal)

        return result


class _Inner(Reply):
    """The way out of what is within; guards go on to record in the outer one."""

    _outer: Any = None  # Until it follows one.

    def follow(self, outer: RequestState) -> None:
        """Be within *outer*, which reads the request to its end before a refusal."""
        self._outer = outer
        self.challenges = outer.challenges

    @property
    def refusal(self) -> AuthError | None:
        """What a guard has raised, or ``None``."""
        return None if self._outer is None else self._outer.refusal

    @refusal.setter
    def refusal(self, error: AuthError | None) -> None:
        if self._outer is not None:
            self._outer.refusal = error

    def note(self, error: AuthError, scope: Mapping[str, Any]) -> None:
        """Pass it to the outer way out, which reports it once."""
        self._outer.note(error, scope)

    def refuse(
        self, error: AuthError, kept: Iterable[tuple[bytes, bytes]] = ()
    ) -> Awaitable[None]:
        """Answer with *error*, and let the outer way out know."""
        self.refusal = error
        return super().refuse(error, kept)


class _InnerReply(_Inner):
    """The way out of one HTTP request."""


class _InnerSocketReply(_Inner, SocketReply):
    """The way out of one WebSocket."""
