"""Ask the log-in routes, within this process, as a client of theirs would.

So the pages have no rules of their own: tries are counted, origins checked and events
written where they are for every other client.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, Literal

from asgi_auth._asgi import Headers, Message, Scope
from asgi_auth.responses.state import KEY
from asgi_auth.routes import AuthRoutes

__all__ = ["Method", "Outcome", "RoutesFault", "ask"]

Method = Literal["GET", "POST", "DELETE"]

# What describes the body of the page's own request.
_OF_BODY: Final = frozenset(
    {
        b"content-type",
        b"content-length",
        b"content-encoding",
        b"transfer-encoding",
        b"expect",
    }
)
_FATAL: Final = frozenset({"cross_origin", "not_localhost"})
_LEAST_FATAL: Final = 500
_LEAST_BAD: Final = 400
_HUMP: Final = re.compile(r"(?<=[a-z0-9])([A-Z])")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the routes have answered.

    Attributes:
        status: The HTTP status.
        headers: All of them.
        data: The JSON body, with names in snake case; empty if there is none.
    """

    status: int
    headers: Headers
    data: Mapping[str, Any]

    @property
    def is_good(self) -> bool:
        """Whether it was done."""
        return self.status < _LEAST_BAD

    @property
    def code(self) -> str:
        """The code of the refusal; empty if there was none."""
        return "" if self.is_good else str(self.data.get("code", "other"))

    def about_password(self) -> Outcome:
        """Return the same where only a password was asked for: no name can be wrong."""
        if self.code != "invalid_credentials":
            return self

        return replace(self, data={**self.data, "code": "wrong_password"})

    @property
    def cookies(self) -> Headers:
        """What the browser is to keep or to forget."""
        return [(n, v) for n, v in self.headers if n == b"set-cookie"]

    @property
    def retry_after(self) -> Headers:
        """When to come back, if that was said."""
        return [(n, v) for n, v in self.headers if n == b"retry-after"]


class RoutesFault(Exception):  # noqa: N818  (it is an answer, and no error of ours)
    """The routes have answered something that no form can put right.

    Args:
        outcome: What they have answered.
    """

    def __init__(self, outcome: Outcome) -> None:
        super().__init__(outcome.code)
        self.outcome = outcome


async def ask(
    routes: AuthRoutes,
    scope: Scope,
    method: Method,
    path: str,
    *,
    body: Mapping[str, Any] | None,
    query: str,
) -> Outcome:
    """Let the routes answer a request with the headers of the page's own.

    Args:
        routes: Whom to ask.
        scope: Of the page's request; it says where the routes are mounted.
        method: The HTTP method.
        path: Below the mount.
        body: For JSON; ``None`` for no body.
        query: The query, as it goes over the wire.

    Raises:
        RoutesFault: The routes are out of order, or the request is a foreign page's.
    """
    content = b"" if body is None else json.dumps(body).encode()
    headers = [(n, v) for n, v in scope["headers"] if n.lower() not in _OF_BODY]
    if body is not None:
        headers.append((b"content-type", b"application/json"))
        headers.append((b"content-length", str(len(content)).encode()))

    place = scope["root_path"] + path
    child: Scope = {
        **scope,
        "method": method,
        "path": place,
        "raw_path": place.encode("utf-8"),
        "query_string": query.encode("ascii"),
        "headers": headers,
    }
    # What words refusals for people is not for us.
    child.pop(KEY, None)
    messages = [{"type": "http.request", "body": content, "more_body": False}]
    answers: list[Message] = []

    async def receive() -> Message:
        return messages.pop() if messages else {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        answers.append(message)

    await routes(child, receive, send)
    outcome = _outcome_of(answers)
    if outcome.status >= _LEAST_FATAL or outcome.code in _FATAL:
        raise RoutesFault(outcome)

    return outcome


def _outcome_of(answers: list[Message]) -> Outcome:
    start = answers[0]
    content = b"".join(message.get("body", b"") for message in answers[1:])
    data: Any = json.loads(content) if content else {}
    headers = [(n.lower(), v) for n, v in start["headers"]]
    return Outcome(start["status"], headers, _snake(data))


def _snake(value: Any) -> Any:
    if isinstance(value, list):
        return [_snake(item) for item in value]

    if isinstance(value, dict):
        return {_HUMP.sub(r"_\1", k).lower(): _snake(v) for k, v in value.items()}

    return value
