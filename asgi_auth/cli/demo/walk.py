"""Take the steps over real sockets, and say how each went. No token is printed."""

from __future__ import annotations

import ssl
from collections.abc import Sequence

from asgi_auth.cli._say import say_verdict
from asgi_auth.cli.demo.step import Answer, Step
from asgi_auth.errors import MissingExtraError

try:
    import httpx2
    from websockets.asyncio.client import connect
    from websockets.exceptions import InvalidStatus
    from websockets.typing import Subprotocol
except ImportError as _error:  # pragma: no cover - the tests have them
    msg = 'The demo needs more: python -m pip install "asgi-auth[demo]"'
    raise MissingExtraError(msg) from _error

__all__ = ["walk"]

_TIMEOUT = 10.0
# Only this machine is asked, without TLS: no authority needs to be read, 24 times.
_TRUSTS_NOBODY = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


async def walk(origin: str, steps: Sequence[Step]) -> tuple[int, int]:
    """Take all steps, and print a line about each.

    Args:
        origin: For instance ``127.0.0.1:8000``.
        steps: What to send.

    Returns:
        How many steps were as expected, and how many there were.
    """
    good = 0
    for step in steps:
        answer = await (_connect if step.method == "WS" else _request)(origin, step)
        fits = answer.fits(step.expected)
        good += fits
        say_verdict(_line(step, answer), is_good=fits)

    return good, len(steps)


async def _request(origin: str, step: Step) -> Answer:
    async with httpx2.AsyncClient(
        timeout=_TIMEOUT, trust_env=False, verify=_TRUSTS_NOBODY
    ) as client:
        response = await client.request(
            step.method,
            f"http://{origin}{step.path}",
            headers=list(step.headers.items()),
            content=step.body,
        )

    is_json = response.headers.get("content-type") == "application/json"
    caller = response.json().get("caller", "") if is_json and response.content else ""
    challenge = response.headers.get("www-authenticate", "")
    return Answer(response.status_code, caller, challenge)


async def _connect(origin: str, step: Step) -> Answer:
    offered = [Subprotocol(name) for name in step.subprotocols]
    try:
        async with connect(
            f"ws://{origin}{step.path}",
            additional_headers=dict(step.headers),
            subprotocols=offered or None,
            open_timeout=_TIMEOUT,
            proxy=None,
        ) as socket:
            greeting = str(await socket.recv())
            return Answer(101, greeting.removeprefix("hello "))
    except InvalidStatus as refused:
        headers = refused.response.headers
        challenge = headers.get("www-authenticate", "")
        return Answer(refused.response.status_code, "", challenge)


def _line(step: Step, answer: Answer) -> str:
    request = f"{step.method} {step.shown or step.path}"
    outcome = answer.caller or answer.challenge or "-"
    return f"{step.title:38} {request:18} {answer.status}  {outcome}"
