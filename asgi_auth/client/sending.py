"""Send a refresh with an httpx or httpx2 client, which are alike.

No redirect is followed: what is sent is a refresh token. No more is read than a token
answer can be long.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from asgi_auth.client.endpoint import RefreshAnswer
from asgi_auth.client.errors import RefreshFailedError

__all__ = ["Send", "asend", "send"]

Send = Callable[
    [str, Mapping[str, str], bytes], RefreshAnswer | Awaitable[RefreshAnswer]
]
"""Takes URL, header fields and body of a POST."""

_LONGEST = 65536
# Without auth: the client may be the very one whose requests wait for this.
_BARE: dict[str, Any] = {"auth": None, "follow_redirects": False}


def send(
    client: Any, url: str, headers: Mapping[str, str], body: bytes
) -> RefreshAnswer:
    """Send a refresh with a ``Client``.

    Raises:
        RefreshFailedError: The answer is too long.
        Exception: Whatever the client raises.
    """
    with client.stream("POST", url, headers=headers, content=body, **_BARE) as answer:
        content = bytearray()
        for chunk in answer.iter_bytes():
            _grow(content, chunk)

        return _read(answer, content)


async def asend(
    client: Any, url: str, headers: Mapping[str, str], body: bytes
) -> RefreshAnswer:
    """Send a refresh with an ``AsyncClient``; otherwise as :func:`send`."""
    sending = client.stream("POST", url, headers=headers, content=body, **_BARE)
    async with sending as answer:
        content = bytearray()
        async for chunk in answer.aiter_bytes():
            _grow(content, chunk)

        return _read(answer, content)


def _grow(content: bytearray, chunk: bytes) -> None:
    content += chunk
    if len(content) > _LONGEST:
        msg = "the refresh endpoint's answer is too long"
        raise RefreshFailedError(msg)


def _read(answer: Any, content: bytearray) -> RefreshAnswer:
    return RefreshAnswer(
        status=answer.status_code,
        challenges=tuple(answer.headers.get_list("www-authenticate")),
        date=answer.headers.get("date"),
        nonce=answer.headers.get("dpop-nonce"),
        body=bytes(content),
    )
