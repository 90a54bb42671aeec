"""Send a request over a socket as no browser would, and keep what went each way.

It knows no attack and judges no answer. Tokens are cut in what is kept to be shown.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

__all__ = ["Answer", "Wire"]

_TIMEOUT = 10.0
_LIMIT = 1 << 20
_TOKEN = re.compile(r"(eyJ[\w-]{7})[\w-]*\.[\w-]+\.([\w-]*)")


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back, and how both ways looked.

    Attributes:
        status: The HTTP status.
        headers: The header fields, with names in small letters.
        body: The content, read as JSON where it is.
        sent: The request as text, without usable tokens.
        received: The response as text, without usable tokens.
    """

    status: int
    headers: Mapping[str, str]
    body: Any
    sent: str
    received: str

    def shown(self) -> dict[str, Any]:
        """Return what the page shows."""
        return {"status": self.status, "sent": self.sent, "received": self.received}


class Wire:
    """The way to a server on this machine.

    Args:
        host: Where it listens.
        port: Where it listens.
    """

    __slots__ = ("_host", "origin", "port")

    def __init__(self, host: str, port: int) -> None:
        self._host = host
        self.port: int = port
        literal = f"[{host}]" if ":" in host else host
        self.origin: str = f"http://{literal}:{port}"

    async def send(
        self,
        method: str,
        path: str,
        headers: Mapping[str, str],
        body: Mapping[str, Any] | None = None,
    ) -> Answer:
        """Make one request on a connection of its own.

        Raises:
            OSError: The server cannot be reached.
            TimeoutError: It did not answer within 10 seconds.
        """
        content = b"" if body is None else json.dumps(body).encode()
        request = self._request(method, path, headers, content)
        async with asyncio.timeout(_TIMEOUT):
            response = await self._exchange(request)

        head, _, text = response.partition("\r\n\r\n")
        status, fields = _parse(head)
        value = _value(text)
        received = f"{head}\n\n{text if value is None else json.dumps(value, indent=2)}"
        return Answer(status, fields, value, _cut(request), _cut(received))

    def _request(
        self, method: str, path: str, headers: Mapping[str, str], content: bytes
    ) -> str:
        fields = {"Host": self.origin.removeprefix("http://"), **headers}
        if content:
            fields["Content-Type"] = "application/json"

        if content or method != "GET":
            fields["Content-Length"] = str(len(content))

        fields["Connection"] = "close"
        lines = [f"{method} {path} HTTP/1.1", *(f"{k}: {v}" for k, v in fields.items())]
        return "\r\n".join([*lines, "", content.decode()])

    async def _exchange(self, request: str) -> str:
        reader, writer = await asyncio.open_connection(self._host, self.port)
        try:
            writer.write(request.encode("latin-1"))
            return (await reader.read(_LIMIT)).decode("utf-8", "replace")
        finally:
            writer.close()


def _parse(head: str) -> tuple[int, dict[str, str]]:
    first, *lines = head.split("\r\n")
    fields = (line.partition(":") for line in lines)
    return int(first.split()[1]), {k.lower(): v.strip() for k, _, v in fields}


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return None


def _cut(text: str) -> str:
    """Show of each token how it begins, and never enough to use it."""
    short = _TOKEN.sub(lambda m: f"{m[1]}…" + ("" if m[2] else "."), text)
    return short.replace("\r\n", "\n").strip()
