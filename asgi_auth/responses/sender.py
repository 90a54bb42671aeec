"""Carry the app's answer out, and see to it that a refusal arrives as one.

Frameworks make a 500 of an exception they do not know; where a guard has recorded
what it refused, the proper answer goes out in its place. Nothing is decided here.
"""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Iterable
from contextlib import suppress
from typing import Any

from asgi_auth._asgi import Headers, Message
from asgi_auth._coroutines import awaited
from asgi_auth.credentials.reader import Offer
from asgi_auth.credentials.sources import Source
from asgi_auth.errors import AuthError
from asgi_auth.responses.body import RequestBody
from asgi_auth.responses.challenge import Challenge
from asgi_auth.responses.deny import answer, close_code
from asgi_auth.responses.kept import kept_of
from asgi_auth.responses.state import RequestState, Seen
from asgi_auth.responses.streams import Stream, Streams
from asgi_auth.responses.watch import Watch

__all__ = [
    "GuardedReply",
    "Reply",
    "SocketReply",
    "refusal_in",
    "replies_for",
]

_CRASH_CODES = frozenset({None, 1000, 1011, 4500})
"""What servers and frameworks close a WebSocket with after an exception."""


class Reply(RequestState):
    """The way out of one HTTP request.

    Attributes:
        streams: What ends streams, if anything does.
        types: The media types that streams have.
    """

    __slots__ = ()
    streams: Streams | None = None
    types: tuple[bytes, ...] = ()

    @awaited
    def send(self, message: Message) -> Awaitable[None]:
        """Pass *message* on, or the recorded refusal in its place."""
        # Plain, not async: one coroutine less for each message. And a method that is an
        # attribute takes longer to call than one that is a name.
        send = self._send
        if message["type"] != "http.response.start":
            return send(message)

        if message.get("status") == _CRASH and (error := self._behind_crash()):
            return self.refuse(error, kept_of(message))

        self.started = True
        if self.refusal is not None:
            self._note_wording(self.refusal, message)
            if self.body is not None:
                return self._send_after(self.body, message)

        ordinary = self.ordinary
        if ordinary is not None:
            # Nearly all answers have a type that was seen: one look over them all.
            try:
                headers: Any = message["headers"]
                is_new = headers.__class__ is not list or ordinary.isdisjoint(headers)
            except (KeyError, TypeError):  # There are none, or pairs are lists.
                is_new = True

            if is_new:
                return self._begin_or_send(message, ordinary)

        return send(message)

    def _note_wording(self, error: AuthError, message: Message) -> None:
        """Have it known that the app has refused in words of its own."""
        if message.get("status") == error.status:
            self.note(error, self.scope)

    @awaited
    def receive(self) -> Awaitable[Message]:
        """Return the next message; a stream may end while the app waits for it."""
        return self._opened().receive()

    def _begin_or_send(self, message: Message, ordinary: Seen) -> Awaitable[None]:
        headers = [(name, value) for name, value in message.get("headers") or ()]
        message = {**message, "headers": headers}
        types = [header for header in headers if header[0].lower() == b"content-type"]
        # Where all are streams, so is what says nothing of its type.
        is_stream = b"" in self.types or any(map(self._is_of_stream, types[:1]))
        if is_stream:
            return self._begin(message)

        if len(ordinary) < _MOST_ORDINARY:
            ordinary.update(types[:1])

        return self._send(message)

    def _is_of_stream(self, header: tuple[bytes, bytes]) -> bool:
        return header[1].strip().lower().startswith(self.types)

    def _begin(self, message: Message) -> Awaitable[None]:
        """Let all that the app says pass through what can end it."""
        stream = self._opened()
        self._send = stream.send
        return stream.begin(message)

    def _opened(self) -> Stream:
        if self.stream is None:
            streams: Any = self.streams
            self.stream: Stream | None = streams.open(self, self._send)

        return self.stream

    async def _send_after(self, body: RequestBody, message: Message) -> None:
        """Send how a framework words a refusal, once the request has arrived."""
        await body.drain(self.scope)
        await self._send(message)

    def refuse(
        self, error: AuthError, kept: Iterable[tuple[bytes, bytes]] = ()
    ) -> Awaitable[None]:
        """Answer with *error*, and drop whatever the app says from now on.

        Args:
            error: Why.
            kept: Headers of the answer that this one takes the place of.
        """
        # What comes then is the rest of a framework's own error page, or another one.
        send, self._send = self._send, _drop
        return answer(error, self.scope, send, self, kept)

    async def settle(self, error: AuthError) -> bool:
        """Answer an error that the app let out; say whether that was possible."""
        if self._send is _drop:
            return True

        if self.started:
            return False

        await self.refuse(error)
        return True

    async def excuses(self, error: BaseException) -> bool:
        """Answer a refusal that the app let out; say whether nothing is left of it."""
        if self.stream is not None:
            await self.stream.leave()

        refusal = refusal_in(error)
        if refusal is not None:
            is_excused = await self.settle(refusal)
        else:
            is_excused = self.streams is not None and self.streams.has_ended(error)

        if is_excused:
            self.forget()

        self.release()
        return is_excused

    def _behind_crash(self) -> AuthError | None:
        """Find the refusal that a framework makes a 500 of."""
        # Most frameworks answer while they handle the exception: then it shows whether
        # that is a refusal, or a bug that came after one was caught. The others are
        # taken to mean what a guard has recorded.
        raised = sys.exception()
        return self.refusal if raised is None else refusal_in(raised)


class GuardedReply(Reply):
    """The way out of an HTTP request whose answer shared caches may have to leave."""

    __slots__ = ()

    @awaited
    def send(self, message: Message) -> Awaitable[None]:
        """Pass *message* on, or the recorded refusal in its place."""
        credential = self.credential
        if (
            credential is not None
            and credential.source in _CACHE_RULES
            and message["type"] == "http.response.start"
        ):
            message = _with_cache_rules(message, credential.source)

        return super().send(message)


class SocketReply(Reply):
    """The way out of one WebSocket; its response has begun once it is accepted."""

    __slots__ = ()
    _is_answering = False

    @awaited
    def send(self, message: Message) -> Awaitable[None]:
        """Pass *message* on, or the recorded refusal in its place."""
        kind = message["type"]
        if kind == "websocket.send":
            self.refusal: AuthError | None = None  # The app has caught it, and goes on.
        elif kind == "websocket.accept":
            self.started = True
            credential = self.credential
            if credential is not None and credential.offer is not None:
                message = self._with_subprotocol(message, credential.offer)
        elif kind == "websocket.close":
            return self._close(message)
        elif kind == "websocket.http.response.start":
            if message.get("status") == _CRASH and (error := self._behind_crash()):
                return self.refuse(error, kept_of(message))

            self._is_answering = True
        elif kind == "http.response.start" and (error := self._behind_crash()):
            # Muffin answers sockets as it does requests.
            return self.refuse(error, kept_of(message))

        send = self._send
        return send(message)

    def _close(self, message: Message) -> Awaitable[None]:
        # A code of its own says that the app has found its own words for this.
        refusal, code = self.refusal, message.get("code")
        if refusal is not None and not self.started and self._send is not _drop:
            if code in _CRASH_CODES or code == close_code(refusal):
                return self.refuse(refusal)
        elif refusal is not None and code in _CRASH_CODES:
            closing = {"code": close_code(refusal), "reason": refusal.code}
            message = {**message, **closing}

        send, self._send = self._send, _drop
        return send(message)

    async def settle(self, error: AuthError) -> bool:
        """Answer an error that the app let out; say whether that was possible."""
        if self._send is _drop:
            return True

        if self._is_answering:
            return False

        if not self.started:
            await self.refuse(error)
            return True

        # Where the client has gone, some servers raise: no client is left to answer.
        with suppress(OSError, RuntimeError):
            await self.refuse(error)

        return True

    @staticmethod
    def _with_subprotocol(message: Message, offer: Offer) -> Message:
        """Answer the offer that held the token; the token is never echoed."""
        if message.get("subprotocol") in offer.names:
            return message

        return {**message, "subprotocol": offer.answer}


_CRASH = 500
_MOST_ORDINARY = 100

# What already keeps an answer from those it is not for (RFC 9110, 12.5.5; 9111, 5.2.2).
_PRIVATE = frozenset({b"no-store", b"private", b"cookie", b"*"})
_CACHE_RULES = {
    "cookie": (b"vary", b"Cookie"),
    "query": (b"cache-control", b"private"),
    "ticket": (b"cache-control", b"private"),
}


def replies_for(
    sources: Iterable[Source],
    challenges: Iterable[Challenge],
    watch: Watch,
    issuers: frozenset[str | None] = frozenset(),
) -> tuple[type[Reply], type[SocketReply]]:
    """Return the lightest replies to requests and to sockets that will do.

    Args:
        sources: Where credentials may come from.
        challenges: The schemes that refusals ask for.
        watch: Sees what is refused.
        issuers: Whose tokens are taken, as far as that is known.
    """
    ways = {source.way[0] for source in sources}
    plain = Reply if ways.isdisjoint(_CACHE_RULES) else GuardedReply
    asked = tuple(challenges)
    socket = SocketReply.seen_by(watch, asked, issuers)
    return plain.seen_by(watch, asked, issuers), socket


def refusal_in(error: BaseException) -> AuthError | None:
    """Find the refusal in *error*, a group of nothing else included."""
    if isinstance(error, AuthError):
        return error

    if not isinstance(error, BaseExceptionGroup):
        return None

    refusals = [refusal_in(member) for member in error.exceptions]
    return None if None in refusals else refusals[0]


async def _drop(_: Message) -> None:
    """Be a message that goes nowhere."""


def _with_cache_rules(message: Message, source: str) -> Message:
    """Keep shared caches from giving one caller's answer to another."""
    name, value = _CACHE_RULES[source]
    headers: Headers = []
    values = [value]
    for header in message.get("headers") or ():
        if header[0].lower() != name:
            headers.append(header)
        elif not _PRIVATE.isdisjoint(_words(header[1])):
            return message
        elif name == b"vary":
            values.insert(-1, header[1])

    headers.append((name, b", ".join(values)))
    return {**message, "headers": headers}


def _words(value: bytes) -> list[bytes]:
    return [word.strip(b" \t").lower() for word in value.split(b",")]
