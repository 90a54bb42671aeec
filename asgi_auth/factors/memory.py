"""Second factors in the memory of this process, for tests and demos.

Nothing is written anywhere: they are gone when the process ends.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from asgi_auth.factors.errors import StaleFactorError
from asgi_auth.factors.records import FactorKind, FactorRecord

__all__ = ["MemoryFactors"]


class MemoryFactors:
    """A :class:`FactorStore` of one dictionary.

    No verb waits in between, so each is atomic on one event loop.
    """

    def __init__(self) -> None:
        self._records: dict[str, dict[FactorKind, FactorRecord]] = {}

    async def find(self, subject: str) -> Sequence[FactorRecord]:
        """Return all factors of a user."""
        return list(self._records.get(subject, {}).values())

    async def put(self, record: FactorRecord) -> FactorRecord:
        """Write a factor, if the stored version is the one that is replaced.

        Raises:
            StaleFactorError: It is another one.
        """
        records = self._records.get(record.subject, {})
        present = records.get(record.kind)
        if (0 if present is None else present.version) != record.version:
            raise StaleFactorError

        stored = replace(record, version=record.version + 1)
        self._records.setdefault(record.subject, {})[record.kind] = stored
        return stored

    async def remove(self, subject: str, kind: FactorKind | None = None) -> None:
        """Remove one kind of factor of a user, or all."""
        records = self._records.get(subject, {})
        if kind is not None:
            records.pop(kind, None)

        if kind is None or not records:
            self._records.pop(subject, None)
