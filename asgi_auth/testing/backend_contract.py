"""What every backend must do, as tests to run on a backend of your own.

They know nothing about how it finds out who is calling. They need pytest and asyncio.
"""

# ruff: noqa: S101  (These are tests.)

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from asgi_auth._asgi import Headers, Message, Receive, Scope, Send
from asgi_auth._contract import asks_always, claims_of, lane_of
from asgi_auth.backends.chain import BackendChain
from asgi_auth.credentials.reader import CredentialReader
from asgi_auth.credentials.sources import Source
from asgi_auth.errors import AuthError
from asgi_auth.guards import requires
from asgi_auth.middleware import AuthenticationMiddleware
from asgi_auth.principal import Principal, get_principal
from asgi_auth.responses.challenge import Challenge
from asgi_auth.testing.impersonation import as_user
from asgi_auth.typing import Backend

__all__ = ["BackendContract", "BackendSample"]

_PATIENCE = 10.0
_JUNK = (b"x", b"a.b.c", b"eyJ.eyJ.x", b"\xff", b"A" * 9000, b"{}", b"=")


@dataclass(frozen=True)
class BackendSample:
    """A backend, and what clients send to it.

    Attributes:
        backend: Under test.
        subject: Whom *good* stands for.
        good: Headers by which the backend knows *subject*.
        bad: Headers, a list for each attempt, that are its own and must be refused.
        more: What else stands in the scope, as of a server that checks certificates.
        revoke: Ends what *good* rests on, so that sockets are closed; ``None``: the
            backend has nothing that could be ended.
    """

    backend: Backend
    subject: str
    good: Headers
    bad: Sequence[Headers] = ()
    more: Mapping[str, Any] = field(default_factory=dict)
    revoke: Callable[[], Awaitable[Any]] | None = None


class Wrapped:
    """Passes on the four members of a backend, and whose a credential is."""

    def __init__(self, inner: Backend) -> None:
        self.name: str = inner.name
        self.sources: Sequence[Source] = inner.sources
        self.challenges: Sequence[Challenge] = inner.challenges
        self.authenticate: Callable[..., Coroutine[Any, Any, Principal | None]] = (
            inner.authenticate
        )
        self._claims = claims_of(inner)

    def claims(self, credential: Any) -> bool:
        """Ask the inner one, if it can say."""
        return self._claims is None or self._claims(credential)


class BackendContract:
    """Subclass it, and give it a fixture ``sample``.

    .. code-block:: python

        class TestMyBackend(BackendContract):
            @pytest.fixture
            def sample(self):
                return BackendSample(
                    MyBackend(),
                    subject="ada",
                    good=[(b"x-session", b"known")],
                    bad=[[(b"x-session", b"unknown")]],
                )

    Everything is tried on the backend by itself, behind a wrapper that knows the
    protocol only, and in a chain. Async tests run by the pytest plugin of anyio.
    """

    @pytest.fixture
    def anyio_backend(self) -> str:
        """Run on asyncio."""
        return "asyncio"

    @pytest.fixture(params=["itself", "wrapped", "chained", "chained and wrapped"])
    def backend(self, request: pytest.FixtureRequest, sample: BackendSample) -> Backend:
        """Give the backend in each of the ways in which applications have it."""
        whole: Backend = sample.backend
        if "chained" in request.param:
            whole = BackendChain(whole)

        return Wrapped(whole) if "wrapped" in request.param else whole

    @pytest.mark.anyio
    async def test_it_has_four_members(self, sample: BackendSample) -> None:
        """Check its name, its sources, and the challenge for clients."""
        backend = sample.backend
        assert backend.name
        assert isinstance(backend.name, str)
        assert all(isinstance(one, Challenge) for one in backend.challenges)
        CredentialReader(backend.sources)
        assert callable(backend.authenticate)
        assert claims_of(backend) is not None or asks_always(backend), "no claims()"

    @pytest.mark.anyio
    async def test_a_good_caller_is_known(
        self, sample: BackendSample, backend: Backend
    ) -> None:
        """Once, again, and where a loader and a guard stand."""
        principals: list[Principal] = []
        guard = requires(backend=sample.backend.name)

        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            principals.append(await guard.verify(scope))
            assert scope["user"] == {"name": sample.subject}
            await _answer(send)

        served = AuthenticationMiddleware(
            app,
            backend,
            required=True,
            load_user=lambda principal: {"name": principal.subject},
        )
        for _ in range(3):
            assert await _status(served, sample, sample.good) == _OK

        assert {principal.subject for principal in principals} == {sample.subject}
        assert all(principal.is_authenticated for principal in principals)
        assert {principal.backend for principal in principals} == {sample.backend.name}

    @pytest.mark.anyio
    async def test_a_bad_caller_is_refused_with_a_challenge(
        self, sample: BackendSample, backend: Backend, caplog: pytest.LogCaptureFixture
    ) -> None:
        """Check that its own bad credential lets no caller in, and stands in no log."""
        caplog.set_level(logging.DEBUG)
        served = AuthenticationMiddleware(_unreached, backend, required=True)
        for headers in sample.bad:
            messages = await _messages_of(served, _scope(sample, headers))
            names = {name.lower() for name, _ in messages[0]["headers"]}
            assert messages[0]["status"] in {400, 401}
            assert b"www-authenticate" in names or not backend.challenges
            for _, value in headers:
                credential = value.split(b" ")[-1].decode("latin-1")
                assert len(credential) < _SHORT or credential not in caplog.text

    @pytest.mark.anyio
    async def test_nobody_is_nobody(self, backend: Backend) -> None:
        """Check that without a credential it knows no caller."""
        nobody = BackendSample(backend, "", [])
        served = AuthenticationMiddleware(_unreached, backend, required=True)
        assert await _status(served, nobody, []) == _UNAUTHORIZED

    @pytest.mark.anyio
    async def test_junk_is_refused_and_breaks_nothing(
        self, sample: BackendSample, backend: Backend
    ) -> None:
        """Try junk in each place where a good caller's credential stands."""
        served = AuthenticationMiddleware(_unreached, backend, required=True)
        for name, value in sample.good:
            scheme, space, _ = value.rpartition(b" ")
            for junk in _JUNK:
                headers = [(name, scheme + space + junk)]
                nobody = BackendSample(backend, "", headers)
                assert await _status(served, nobody, headers) in {400, 401}

    @pytest.mark.anyio
    async def test_a_quicker_way_says_what_the_long_way_says(
        self, sample: BackendSample
    ) -> None:
        """``recognise`` knows the same principal, or leaves it to ``authenticate``."""
        recognise = lane_of(sample.backend)
        reader = CredentialReader(sample.backend.sources)
        for headers in (sample.good, *sample.bad):
            credential = reader.read(_scope(sample, headers))
            if recognise is None or credential is None or credential.error:
                continue

            if credential.scheme != "bearer":
                continue  # It is not asked about others.

            slow = await _verdict(sample.backend, credential, sample)
            try:
                quick: object = recognise(credential.token, credential.source)
            except AuthError as error:
                quick = type(error)

            assert quick is None or quick == slow

    @pytest.mark.anyio
    async def test_a_socket_ends_with_what_it_rests_on(
        self, sample: BackendSample, backend: Backend
    ) -> None:
        """Whatever stands around the backend."""
        if sample.revoke is None:
            return

        closed, opened = asyncio.Event(), asyncio.Event()

        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            await receive()
            await send({"type": "websocket.accept"})
            opened.set()
            assert (await receive())["type"] == "websocket.disconnect"
            closed.set()

        served = AuthenticationMiddleware(app, backend, required=True)
        scope = _scope(sample, sample.good, kind="websocket")
        serving = asyncio.create_task(_messages_of(served, scope))
        async with asyncio.timeout(_PATIENCE):
            await opened.wait()
            await sample.revoke()
            await closed.wait()
            messages = await serving

        assert messages[-1]["type"] == "websocket.close"
        assert await _status(served, sample, sample.good) == _UNAUTHORIZED

    @pytest.mark.anyio
    async def test_tests_can_stand_in_for_its_callers(
        self, sample: BackendSample, backend: Backend
    ) -> None:
        """``as_user`` finds a way in, and none is left open behind it."""
        principals: list[Principal] = []

        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            principals.append(get_principal(scope))
            await _answer(send)

        served = AuthenticationMiddleware(app, backend, required=True)
        nobody = BackendSample(backend, "", [])
        assert await _status(as_user(served, "somebody"), nobody, []) == _OK
        assert [principal.subject for principal in principals] == ["somebody"]
        assert await _status(served, nobody, []) == _UNAUTHORIZED


_OK, _UNAUTHORIZED, _SHORT = 200, 401, 8


async def _answer(send: Send) -> None:
    await send({"type": "http.response.start", "status": _OK, "headers": []})
    await send({"type": "http.response.body", "body": b""})


async def _unreached(scope: Scope, receive: Receive, send: Send) -> None:
    msg = "a caller who is not known has reached the application"
    raise AssertionError(msg)


async def _verdict(backend: Backend, credential: Any, sample: BackendSample) -> object:
    try:
        return await backend.authenticate(credential, _scope(sample, sample.good))
    except AuthError as error:
        return type(error)


async def _status(app: Any, sample: BackendSample, headers: Headers) -> int:
    messages = await _messages_of(app, _scope(sample, headers))
    status: int = messages[0]["status"]
    return status


def _scope(sample: BackendSample, headers: Headers, *, kind: str = "http") -> Scope:
    scope: Scope = {
        "type": kind,
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "https" if kind == "http" else "wss",
        "path": "/",
        "raw_path": b"/",
        "query_string": b"",
        "root_path": "",
        # The socket of a cookie must come from an own page.
        "headers": [(b"host", b"h"), (b"origin", b"https://h"), *headers],
        "client": ("203.0.113.5", 40000),
        "server": ("h", 443),
        **sample.more,
    }
    if kind == "websocket":
        del scope["method"]
        scope["subprotocols"] = []

    return scope


async def _messages_of(app: Any, scope: Scope) -> list[Message]:
    messages: list[Message] = []
    first = "websocket.connect" if scope["type"] == "websocket" else "http.request"
    inbox: list[Message] = [{"type": first}]

    async def receive() -> Message:
        if inbox:
            return inbox.pop()

        await asyncio.Event().wait()
        raise AssertionError

    async def send(message: Message) -> None:
        messages.append(message)

    await app(scope, receive, send)
    return messages
