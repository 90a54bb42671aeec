"""Have an access token ready before a request goes out.

What is to be done is a generator; it is driven with or without an event loop. Nothing
is sent here.
"""

from __future__ import annotations

from collections.abc import Generator

from asgi_auth._clock import Clock
from asgi_auth.client.errors import LoggedOutError, RefreshFailedError
from asgi_auth.client.flow import BearerFlow, Step
from asgi_auth.client.renewer import Renewer
from asgi_auth.client.tokens import Tokens

__all__ = ["Preparation", "adrive", "drive", "prepare"]

Preparation = Generator[Tokens, Tokens, str]
"""Yields tokens that are to be replaced, takes those in their place."""


def prepare(flow: BearerFlow, clock: Clock) -> Preparation:
    """Return a token to send, and ask for other ones on the way if need be."""
    if flow.begin(clock()) is Step.REFRESH:
        try:
            flow.renewed((yield flow.tokens))
        except RefreshFailedError:
            if flow.failed(clock()) is None:
                raise

    if flow.tokens.access_token is None:
        msg = "there is neither an access token nor a refresh token: log in first"
        raise LoggedOutError(msg)

    return flow.tokens.access_token


def drive(renewer: Renewer, preparation: Preparation) -> str:
    """Run a preparation, and return the access token that it ends with.

    Raises:
        LoggedOutError: There are no tokens, or the refresh token is refused.
        RefreshFailedError: They cannot be refreshed now.
    """
    try:
        stale = next(preparation)
        try:
            tokens = renewer.renew(stale)
        except RefreshFailedError as error:
            preparation.throw(error)
        else:
            preparation.send(tokens)
    except StopIteration as end:
        return str(end.value)

    raise AssertionError  # A preparation asks once.


async def adrive(renewer: Renewer, preparation: Preparation) -> str:
    """Run a preparation, as :func:`drive` does."""
    try:
        stale = next(preparation)
        try:
            tokens = await renewer.arenew(stale)
        except RefreshFailedError as error:
            preparation.throw(error)
        else:
            preparation.send(tokens)
    except StopIteration as end:
        return str(end.value)

    raise AssertionError  # A preparation asks once.
