"""The second step of a log-in: a code, after what was shown first.

What is asked and what the answer means; it is driven with or without an event loop.
Which factors a user has, the answer to the first step says.
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Generator, Mapping
from typing import Any
from urllib.parse import urljoin

from anyio import to_thread

from asgi_auth._clock import Clock
from asgi_auth.client.challenges import says_invalid_token
from asgi_auth.client.endpoint import RefreshAnswer, RefreshEndpoint, parse_body
from asgi_auth.client.errors import (
    BadAnswerError,
    ClientError,
    LoggedOutError,
    RefreshFailedError,
    WrongCodeError,
)
from asgi_auth.client.proofs import Proofs, server_time
from asgi_auth.client.sending import Send
from asgi_auth.client.tokens import Tokens
from asgi_auth.errors import ConfigurationError

__all__ = ["SecondStep", "afinish", "finish"]

_OK = 200
_TOO_MANY = 429
_FAULT = 500
# The second is what the callable of an application raises.
_WRONG = frozenset({"invalid_code", "invalid_credentials"})

_Exchange = Generator[tuple[dict[str, str], bytes], RefreshAnswer, Tokens]
"""Yields header fields and bodies to be sent, takes the answers."""


class SecondStep(RefreshEndpoint):
    """The route that takes a code, for one log-in; it stands beside the refresh route.

    Args:
        refresh_url: The refresh route.
        code: What the user has typed.
        proofs: Of the key that the log-in began with, if there is one.
    """

    __slots__ = ("_code",)

    def __init__(
        self, refresh_url: str, code: str, *, proofs: Proofs | None = None
    ) -> None:
        super().__init__(urljoin(refresh_url, "login/factor"), proofs=proofs)
        self._code = code

    def exchange(self, refusal: Mapping[str, Any], clock: Clock) -> _Exchange:
        """Ask once, and again where the server wants another proof.

        Args:
            refusal: The parsed answer to the first step.
            clock: The local time.
        """
        pending = _pending_token(refusal)
        asked_at = clock()
        answer = yield self.ask(pending)
        if self.wants_another_proof(answer):
            answer = yield self.ask(pending)

        return self.read(answer, Tokens(), asked_at=asked_at)

    def ask(self, refresh_token: str) -> tuple[dict[str, str], bytes]:
        """Return the header fields and the body; the token is that of the log-in."""
        headers, _ = super().ask(refresh_token)
        fields = {"pending_token": refresh_token, "code": self._code}
        return headers, json.dumps(fields).encode()

    def read(self, answer: RefreshAnswer, old: Tokens, *, asked_at: float) -> Tokens:
        """Return the tokens of the log-in.

        Raises:
            WrongCodeError: The code is wrong.
            LoggedOutError: The log-in waits no more.
            RefreshFailedError: There were too many tries, or it is an outage.
            BadAnswerError: The answer is none of this route.
        """
        members = parse_body(answer.body)
        if answer.status == _OK:
            return Tokens.from_answer(
                members,
                received_at=asked_at,
                server_time=server_time(answer.date),
                token_type="Bearer" if self._proofs is None else "DPoP",
            )

        if says_invalid_token(answer.challenges, "dpop"):
            msg = "the log-in does not wait for a code any more: begin it anew"
            raise LoggedOutError(msg)

        if members.get("code") in _WRONG:
            msg = "the code is wrong, or was used before"
            raise WrongCodeError(msg)

        msg = f"the server answered {answer.status} to the code"
        if answer.status == _TOO_MANY or answer.status >= _FAULT:
            raise RefreshFailedError(msg)

        raise BadAnswerError(msg)


def finish(
    step: SecondStep, refusal: Mapping[str, Any], *, send: Send, clock: Clock
) -> Tokens:
    """Take the second step, and return the tokens.

    Args:
        step: With the code.
        refusal: The parsed answer to the first step.
        send: Sends it.
        clock: The local time.

    Raises:
        ClientError: What :meth:`SecondStep.read` raises, or nothing can be sent.
        ConfigurationError: *send* needs an event loop.
    """
    if inspect.iscoroutinefunction(send):
        msg = "The client of this BearerAuth is asynchronous: await aconfirm()."
        raise ConfigurationError(msg)

    exchange = step.exchange(refusal, clock)
    try:
        question = next(exchange)
        while True:
            question = exchange.send(_sent(send, step.url, *question))
    except StopIteration as end:
        tokens: Tokens = end.value
        return tokens


async def afinish(
    step: SecondStep, refusal: Mapping[str, Any], *, send: Send, clock: Clock
) -> Tokens:
    """Take the second step, as :func:`finish` does; what blocks gets a thread."""
    exchange = step.exchange(refusal, clock)
    try:
        question = next(exchange)
        while True:
            question = exchange.send(await _asent(send, step.url, *question))
    except StopIteration as end:
        tokens: Tokens = end.value
        return tokens


def _sent(send: Any, *message: Any) -> RefreshAnswer:
    try:
        answer: RefreshAnswer = send(*message)
    except ClientError:
        raise
    except Exception as error:
        raise _outage(error) from error

    return answer


async def _asent(send: Any, *message: Any) -> RefreshAnswer:
    if not inspect.iscoroutinefunction(send):
        return await to_thread.run_sync(_sent, send, *message)

    try:
        answer: RefreshAnswer = await send(*message)
    except ClientError:
        raise
    except Exception as error:
        raise _outage(error) from error

    return answer


def _outage(error: Exception) -> RefreshFailedError:
    """Return our error for whatever a driver calls its outages."""
    msg = f"the server cannot be reached: {type(error).__name__}"
    return RefreshFailedError(msg)


def _pending_token(refusal: Mapping[str, Any]) -> str:
    token = refusal.get("pending_token", refusal.get("pendingToken"))
    if not isinstance(token, str):
        msg = "the answer asks for no second factor, or its token is in a cookie"
        raise BadAnswerError(msg)

    return token
