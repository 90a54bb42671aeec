"""End HTTP responses that have no end of their own with the tokens of their callers.

A response enters when it begins and says by its ``Content-Type`` that it is one of
these; all others pass as they are.
"""

from __future__ import annotations

from asyncio import get_running_loop

from asgi_auth._asgi import Message, Receive, Send
from asgi_auth.errors import AuthError
from asgi_auth.lifetime.connection_policy import ConnectionPolicy
from asgi_auth.lifetime.lifetime import Lifetime
from asgi_auth.lifetime.policies import Policies
from asgi_auth.lifetime.polled_stream import PolledStream
from asgi_auth.lifetime.stream import ClosableStream, is_closed_stream, without_length
from asgi_auth.lifetime.terms import Identify, LoadUser, guards_of, scope_of
from asgi_auth.responses.sender import Reply
from asgi_auth.responses.streams import Stream

__all__ = ["OpenStream", "StreamGuard"]


class StreamLifetime(Lifetime):
    """Ends one stream when its time has come."""

    socket: ClosableStream

    def end(self, error: AuthError) -> None:
        """End the stream because of *error*; the first time counts."""
        self.socket.finish_with(error.code)

    def is_over(self) -> bool:
        """Say whether it has ended already."""
        return self.socket.ended is not None or self.socket.gone


class OpenStream:
    """What stands between an app and its client, once it waits for that or streams.

    Args:
        policies: By what streams end.
        reply: The way out, before there was a stream.
        send: The server's, or an outer layer's.
    """

    __slots__ = ("_channel", "_policies", "_reply", "receive", "send")

    def __init__(self, policies: Policies, reply: Reply, send: Send) -> None:
        self._policies = policies
        self._reply = reply
        self._channel = ClosableStream(reply.receiver, send)
        self.receive: Receive = self._channel.receive
        self.send: Send = self._channel.send

    async def begin(self, message: Message) -> None:
        """Send how the response begins, and put it under its lifetime."""
        await self._channel.send(without_length(message))
        reply = self._reply
        scope = scope_of(reply)
        principal = scope["auth"]
        terms, deadlines = self._policies.find(principal, get_running_loop())
        reply.guards = guards_of(reply)
        lifetime = StreamLifetime(principal, terms, deadlines, self._channel, reply)
        lifetime.scope = scope
        reply.lifetime = lifetime
        lifetime.start()

    async def leave(self) -> None:
        """Leave nothing behind; the app has returned."""
        reply = self._reply
        lifetime = reply.lifetime
        self._channel.gone = True
        if isinstance(lifetime, StreamLifetime):
            lifetime.stop()

        await self._channel.finish()
        # Circles would have to wait for the collector.
        reply.lifetime, reply.guards = None, ()
        if isinstance(lifetime, StreamLifetime):
            lifetime.scope = None

        del self._reply


class StreamGuard:
    """Ends streams with the tokens or the sessions of their callers.

    Args:
        identify: Verifies a token that is to extend a stream.
        load_user: Gives the application's own user, where it has any.
        policy: What a stream ends with, and which responses are streams.
    """

    __slots__ = ("_policies", "_types")

    def __init__(
        self,
        identify: Identify,
        load_user: LoadUser | None,
        policy: ConnectionPolicy,
    ) -> None:
        types = () if policy.streams is None else policy.stream_types
        self._types = tuple(b"" if name == "*" else name.encode() for name in types)
        self._policies = Policies(
            identify,
            load_user,
            by_session=policy.streams == "session",
            option="streams",
        )

    def bind(self, reply: type[Reply]) -> type[Reply]:
        """Return the kind of *reply* that knows streams."""
        if not self._types:
            return reply

        members = {"__slots__": (), "streams": self, "types": self._types}
        return type(reply.__name__, (reply,), members)

    def open(self, reply: Reply, send: Send) -> Stream:
        """Stand between an app and its client."""
        try:
            get_running_loop()
        except RuntimeError:
            return PolledStream(self._policies, reply, send)

        return OpenStream(self._policies, reply, send)

    @staticmethod
    def has_ended(error: BaseException) -> bool:
        """Say whether an app has failed because its stream was ended."""
        return is_closed_stream(error)
