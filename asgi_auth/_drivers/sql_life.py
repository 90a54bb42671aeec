"""What a database has in one event loop, and how many may use it at a time.

It knows no driver and no statement.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from asgi_auth._drivers.gate import Gate
from asgi_auth._drivers.statement_task import StatementTask

__all__ = ["CONNECTIONS", "Life"]

CONNECTIONS = 5
"""Connections to PostgreSQL, and of readers to a SQLite file, in one event loop.

More of them make a database slower, not faster, and PostgreSQL has a hundred for all
workers and all stores."""

_WHAT = "the database"


@dataclass(slots=True)
class Life:
    """One engine, and what is under way on it.

    Attributes:
        engine: Of SQLAlchemy; it is another one behind a pooler.
        reading: Where statements wait for a connection.
        writing: Where those wait that change something.
        is_adapted: It is known whether there is a pooler.
        verbs: The statements that are under way.
    """

    engine: Any
    reading: Gate
    writing: Gate
    is_adapted: bool = False
    verbs: set[StatementTask[Any]] = field(default_factory=set)

    @classmethod
    def of_file(cls, engine: Any, places: int = CONNECTIONS) -> Life:
        """Make that of SQLite: in one file, one writes at a time.

        SQLite itself lets writers poll for the lock, with pauses of up to 100 ms.
        """
        return cls(engine, Gate(places, _WHAT), Gate(1, _WHAT))

    @classmethod
    def of_server(
        cls, engine: Any, places: int = CONNECTIONS, *, is_adapted: bool = False
    ) -> Life:
        """Make that of PostgreSQL."""
        gate = Gate(places, _WHAT)
        return cls(engine, gate, gate, is_adapted)

    def forget(self, verb: Any) -> None:
        """Take a statement for done."""
        self.verbs.discard(verb)
        if not verb.cancelled():
            verb.exception()  # Read, or asyncio warns of an abandoned one.
