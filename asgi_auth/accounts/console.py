"""Writes the messages of accounts to the terminal, for development.

It sends nothing, and shows tokens to whoever looks on.
"""

from __future__ import annotations

import sys
from typing import TextIO

from asgi_auth.accounts.base import Account, MessageKind
from asgi_auth.accounts.messages import WORDS

__all__ = ["ConsoleSender"]


class ConsoleSender:
    """Writes messages, with their tokens, to the terminal: for development only.

    Args:
        stream: Where to; standard error if ``None``.
    """

    def __init__(self, *, stream: TextIO | None = None) -> None:
        self._stream = stream

    async def __call__(
        self, kind: MessageKind, account: Account, token: str | None
    ) -> None:
        """Write one message."""
        stream = sys.stderr if self._stream is None else self._stream
        subject, _ = WORDS[kind]
        lines = [f"To: {account.email}", f"Subject: {subject}"]
        if token is not None:
            lines.append(f"Token ({kind}): {token}")

        stream.write("\n".join(lines) + "\n\n")
        stream.flush()
