"""One step of the walk: what is sent, and what must come back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

__all__ = ["Answer", "Step"]


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back, or what is expected to.

    Attributes:
        status: HTTP status, of the handshake for a WebSocket (101 if accepted).
        caller: Whom the app saw; empty if it was not reached.
        challenge: The ``WWW-Authenticate`` header, or a part of it.
    """

    status: int
    caller: str = ""
    challenge: str = ""

    def fits(self, expected: Answer) -> bool:
        """Say whether this is what was expected."""
        return (
            self.status == expected.status
            and self.caller == expected.caller
            and expected.challenge in self.challenge
            and bool(expected.challenge) == bool(self.challenge)
        )


@dataclass(frozen=True, slots=True)
class Step:
    """One request or handshake.

    Attributes:
        title: What it shows.
        expected: What must come back.
        method: ``GET``, ``POST``, ``OPTIONS``, or ``WS`` for a WebSocket.
        path: With the query.
        shown: The path as it may be printed: without a token.
        headers: What is sent along; never printed.
        subprotocols: Offered in a handshake; never printed.
        body: Sent along, never printed.
    """

    title: str
    expected: Answer
    method: str = "GET"
    path: str = "/"
    shown: str = ""
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    subprotocols: tuple[str, ...] = field(default=(), repr=False)
    body: str = field(default="", repr=False)
