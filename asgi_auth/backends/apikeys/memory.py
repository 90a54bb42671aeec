"""API keys in the memory of one process: for tests and trials.

They are gone with the process, and no other one sees them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from asgi_auth.backends.apikeys.records import APIKey

__all__ = ["MemoryAPIKeys"]


class MemoryAPIKeys:
    """An :class:`APIKeyStore` that forgets everything with its process."""

    def __init__(self) -> None:
        self._keys: dict[str, APIKey] = {}
        self._ids_of: dict[str, dict[str, None]] = {}

    async def add(self, key: APIKey) -> None:
        """Add a key; its id is new."""
        self._keys[key.id] = key
        self._ids_of.setdefault(key.subject, {})[key.id] = None

    async def find(self, key_id: str) -> APIKey | None:
        """Find a key by its id."""
        return self._keys.get(key_id)

    async def list(self, subject: str) -> Sequence[APIKey]:
        """List the keys of a subject, the oldest first, ended ones included."""
        keys = [self._keys[key_id] for key_id in self._ids_of.get(subject, ())]
        return sorted(keys, key=lambda key: (key.created_at, key.id))

    async def mark(
        self,
        key_id: str,
        *,
        used_at: float | None = None,
        revoked_at: float | None = None,
    ) -> None:
        """Write down a use or the end of a key; an unknown id is passed over."""
        key = self._keys.get(key_id)
        if key is None:
            return

        if used_at is not None:
            used_at = max(used_at, key.last_used_at or used_at)
            key = replace(key, last_used_at=used_at)

        if revoked_at is not None and key.revoked_at is None:
            key = replace(key, revoked_at=revoked_at)

        self._keys[key_id] = key
