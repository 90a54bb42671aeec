"""Hold the tokens that many requests share, and refresh them one at a time.

A refresh runs in a thread of its own, not in one of the requests: whichever of them is
cancelled, the others get their token, and what the server has given out is not lost.
It decides nothing about requests.
"""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import os
import threading
from collections.abc import Awaitable, Callable
from concurrent.futures import Future, wait
from dataclasses import replace
from typing import Any
from weakref import WeakSet

import anyio

from asgi_auth._clock import Clock
from asgi_auth._logs import package_logger
from asgi_auth.client.endpoint import RefreshAnswer, RefreshEndpoint
from asgi_auth.client.errors import ClientError, LoggedOutError, RefreshFailedError
from asgi_auth.client.flow import BearerFlow
from asgi_auth.client.sending import Send
from asgi_auth.client.tokens import Tokens
from asgi_auth.errors import ConfigurationError

__all__ = ["Renewer", "Save"]

Save = Callable[[Tokens | None], Awaitable[None] | None]
"""Takes the tokens that came from a refresh, or ``None`` where the log-in has ended."""

_Loop = asyncio.AbstractEventLoop | None

_logger = package_logger(__name__)

_LOOK_AGAIN = 0.01

_renewers: WeakSet[Renewer] = WeakSet()


class Renewer:
    """The present tokens, and the one refresh that may be under way.

    It serves any number of clients, threads and event loops at once.

    Args:
        tokens: What there is; ``None`` before the log-in.
        endpoint: Where they are refreshed.
        send: Sends a refresh; one that is asynchronous runs in the event loop of the
            request that needs it first.
        save: Keeps new tokens; one that is asynchronous runs likewise.
        timeout: Seconds that a request waits for a refresh.
        clock: The local time.
    """

    def __init__(
        self,
        tokens: Tokens | None,
        *,
        endpoint: RefreshEndpoint,
        send: Send,
        save: Save | None,
        timeout: float,
        clock: Clock,
    ) -> None:
        self._tokens = tokens
        self._endpoint = endpoint
        self._send = send
        self._save = save
        self._timeout = timeout
        self._clock = clock
        self._needs_loop = _is_async(send) or _is_async(save)
        self._lock = threading.Lock()
        self._flight: Future[Tokens] | None = None
        self._failed_at: float | None = None
        _renewers.add(self)

    @property
    def tokens(self) -> Tokens | None:
        """What there is now."""
        return self._tokens

    def start_anew(self) -> None:
        """Let go of what a fork has taken along without the thread that it is of."""
        self._lock, self._flight = threading.Lock(), None

    def replace(self, tokens: Tokens | None) -> None:
        """Take other tokens; what a refresh of the old ones brings is dropped."""
        with self._lock:
            self._tokens, self._flight, self._failed_at = tokens, None, None

    def begin(self, skew: float) -> BearerFlow:
        """Begin a request with the present tokens.

        Raises:
            LoggedOutError: There are none.
        """
        with self._lock:
            return BearerFlow(
                _present(self._tokens),
                skew=skew,
                failed_at=self._failed_at,
                renews_anything=self._endpoint.renews_anything,
            )

    def drop(self, refused: Tokens) -> None:
        """Forget an access token that the server refuses, if it is still the one."""
        with self._lock:
            if self._tokens is refused:
                self._tokens = replace(refused, access_token=None)

    def renew(self, stale: Tokens) -> Tokens:
        """Return other tokens than *stale* ones, and wait for them if need be.

        Raises:
            RefreshFailedError: There are none now.
            LoggedOutError: There are none any more.
            ConfigurationError: What has to run in an event loop has none.
        """
        flight = self._join(stale, None)
        wait([flight], self._timeout)
        return self._outcome(flight, stale)

    async def arenew(self, stale: Tokens) -> Tokens:
        """Return other tokens than *stale* ones, as :meth:`renew` does.

        It works on asyncio, and on trio where nothing asynchronous was given to us.
        """
        loop = _running_loop()
        flight = self._join(stale, loop)
        with anyio.move_on_after(self._timeout):
            await _until_done(flight, loop)

        return self._outcome(flight, stale)

    def _join(self, stale: Tokens, loop: _Loop) -> Future[Tokens]:
        """Return the refresh of these tokens, begun now if no other request has."""
        with self._lock:
            tokens = _present(self._tokens)
            if tokens is not stale and tokens.access_token is not None:
                result: Future[Tokens] = Future()
                result.set_result(tokens)
                return result

            if self._flight is None:
                self._flight = self._take_off(tokens, loop)

            return self._flight

    def _take_off(self, stale: Tokens, loop: _Loop) -> Future[Tokens]:
        if self._needs_loop and loop is None:
            msg = (
                "An AsyncClient or an asynchronous save= works for requests on asyncio "
                "only: give a Client and a plain function instead."
            )
            raise ConfigurationError(msg)

        flight: Future[Tokens] = Future()
        flight.set_running_or_notify_cancel()  # No waiting caller can cancel it.
        thread = threading.Thread(
            target=self._fly, args=(flight, stale, loop), name="asgi-auth-refresh"
        )
        try:
            thread.start()
        except RuntimeError as error:
            msg = "no thread for the refresh could be started"
            raise RefreshFailedError(msg) from error

        return flight

    def _fly(self, flight: Future[Tokens], stale: Tokens, loop: _Loop) -> None:
        """Refresh, and give the result to all who wait; runs in the thread."""
        try:
            flight.set_result(self._bring(flight, stale, loop))
        except BaseException as error:  # noqa: BLE001  # It is for who waits.
            flight.set_exception(error)

    def _bring(self, flight: Future[Tokens], stale: Tokens, loop: _Loop) -> Tokens:
        try:
            tokens = self._refresh(stale, loop)
        except LoggedOutError:
            if self._land(flight, None, loop):
                raise
        except BaseException:
            # Unexpected errors count too: otherwise all would wait for ever.
            self._note_failure(flight)
            raise
        else:
            if self._land(flight, tokens, loop):
                return tokens

        return _present(self._tokens)  # The user has logged in or out meanwhile.

    def _refresh(self, stale: Tokens, loop: _Loop) -> Tokens:
        try:
            asked_at = self._clock()
            answer = self._ask(stale, loop)
            if self._endpoint.wants_another_proof(answer):
                answer = self._ask(stale, loop)

            return self._endpoint.read(answer, stale, asked_at=asked_at)
        except ClientError:
            raise
        except BaseException as error:
            # Whatever a driver calls its outages; also the end of an event loop.
            msg = f"the refresh endpoint cannot be reached: {type(error).__name__}"
            raise RefreshFailedError(msg) from error

    def _ask(self, stale: Tokens, loop: _Loop) -> RefreshAnswer:
        headers, body = self._endpoint.ask(stale.refresh_token or "")
        answer = self._send(self._endpoint.url, headers, body)
        settled: RefreshAnswer = self._settle(answer, loop)
        return settled

    def _land(self, flight: Future[Tokens], tokens: Tokens | None, loop: _Loop) -> bool:
        """Keep what came, before any request goes out with it."""
        with self._lock:
            if self._flight is not flight:
                return False

            self._tokens, self._flight, self._failed_at = tokens, None, None

        try:
            if self._save is not None:
                self._settle(self._save(tokens), loop)
        except BaseException as error:  # noqa: BLE001
            # The tokens are good, and in memory; the next refresh saves again. The
            # text of the error is not ours, and may show what it was given.
            name = type(error).__name__
            _logger.error("tokens were not saved: %s", name)  # noqa: TRY400

        return True

    def _note_failure(self, flight: Future[Tokens]) -> None:
        with self._lock:
            if self._flight is flight:
                self._flight = None
                self._failed_at = self._clock()

    def _settle(self, value: Any, loop: _Loop) -> Any:
        """Wait for what has to be waited for, in the loop that it belongs to."""
        if not inspect.isawaitable(value):
            return value

        if loop is None:
            _close(value)
            msg = "an awaitable came from a plain function"
            raise ConfigurationError(msg)

        waiting = _wait_for(value)
        try:
            running = asyncio.run_coroutine_threadsafe(waiting, loop)
        except RuntimeError:  # The loop is closed.
            _close(waiting)
            _close(value)
            raise

        try:
            return running.result(self._timeout)
        finally:
            running.cancel()

    def _outcome(self, flight: Future[Tokens], stale: Tokens) -> Tokens:
        """Return what a refresh brought, or raise what it failed with."""
        if not flight.done():
            return self._overdue(stale)

        error = flight.exception()
        if error is None:
            return flight.result()

        # One error for each who waits: a shared one would gather all their tracebacks.
        raise type(error)(str(error)) from error

    def _overdue(self, stale: Tokens) -> Tokens:
        """Stop waiting, but not the refresh: its tokens are for later requests."""
        with self._lock:
            tokens = _present(self._tokens)
            if tokens is not stale and tokens.access_token is not None:
                return tokens  # They are there, and being saved.

            self._failed_at = self._clock()

        msg = "the refresh endpoint did not answer in time"
        raise RefreshFailedError(msg)


def _present(tokens: Tokens | None) -> Tokens:
    if tokens is None:
        msg = "there are no tokens: log in first"
        raise LoggedOutError(msg)

    return tokens


def _is_async(function: object) -> bool:
    call = getattr(function, "__call__", None)  # noqa: B004  # Of an object.
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(call)


def _running_loop() -> _Loop:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None  # trio, for instance


async def _until_done(flight: Future[Tokens], loop: _Loop) -> None:
    if loop is not None:
        with contextlib.suppress(ClientError):
            await asyncio.wrap_future(flight)

        return

    # There is no way into trio's loop from a thread that does not need trio.
    while not flight.done():  # noqa: ASYNC110
        await anyio.sleep(_LOOK_AGAIN)


async def _wait_for(value: Awaitable[Any]) -> Any:
    return await value


def _close(value: Any) -> None:
    """Spare us the warning about a coroutine that was not awaited."""
    if inspect.iscoroutine(value):
        value.close()


def _start_all_anew() -> None:
    for renewer in _renewers:
        renewer.start_anew()


if hasattr(os, "register_at_fork"):  # pragma: no branch - not on Windows
    os.register_at_fork(after_in_child=_start_all_anew)
