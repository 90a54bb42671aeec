"""What a client for the keys of another party offers, however it gets them.

It gets none itself.
"""

from __future__ import annotations

from typing import Protocol

from asgi_auth.keys.keyset import KeySet

__all__ = ["RemoteKeys"]


class RemoteKeys(Protocol):
    """Keys that are fetched, and change."""

    async def ready(self) -> KeySet:
        """Return the keys, always the same object.

        Raises:
            UnavailableError: There are none that can be used.
        """
        ...

    def is_fresh(self) -> bool:
        """Say whether the keys can be used without a look at their age."""
        ...

    async def seek(self, kid: str | None, algorithm: str) -> None:
        """Look for a key that a token names.

        Raises:
            UnavailableError: It cannot be known whether there is such a key.
        """
        ...
