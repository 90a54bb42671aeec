"""Take the steps over real sockets, and say how each went. No token is printed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

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


async def walk(
    origin: str, steps: Sequence[Step], say: Callable[[str], Any]
) -> tuple[int, int]:
    """Take all steps.

    Args:
        origin: For instance ``127.0.0.1:8000``.
        steps: What to send.
        say: Gets each line.

    Returns:
        How many steps were as expected, and how many there were.
    """
    good = 0
    for step in steps:
        answer = await (_connect if step.method == "WS" else _request)(origin, step)
        fits = answer.fits(step.expected)
        good += fits
        say(_line(step, answer, fits=fits))

    return good, len(steps)


async def _request(origin: str, step: Step) -> Answer:
    async with httpx2.AsyncClient(timeout=_TIMEOUT, trust_env=False) as client:
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


def _line(step: Step, answer: Answer, *, fits: bool) -> str:
    mark = "ok  " if fits else "FAIL"
    request = f"{step.method} {step.shown or step.path}"
    outcome = answer.caller or answer.challenge or "-"
    return f"{mark}  {step.title:38} {request:18} {answer.status}  {outcome}"
