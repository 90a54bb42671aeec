"""Say which table or which column a database lacks, by what its driver says.

It imports no driver. Of the driver's text it repeats names, and nothing else.
"""

from __future__ import annotations

import re
from typing import Any, Final, NamedTuple

from asgi_auth._drivers.sql_codes import NO_COLUMN, NO_TABLE, code_of

__all__ = ["Missing", "missing_in"]

_NAME: Final = r'"?([\w.]+)"?'
_TABLES: Final = (
    re.compile(rf"no such table: {_NAME}"),
    re.compile(rf"relation {_NAME} does not exist"),
)
# The table, if it is said, then the column.
_COLUMNS: Final = (
    re.compile(rf"table {_NAME} has no column named {_NAME}"),
    re.compile(r'no such column: "?(?:([\w.]+)\.)?(\w+)'),
    re.compile(rf"column (?P<column>{_NAME}) of relation (?P<table>{_NAME}) does not"),
    re.compile(r'column "?(?:([\w.]+)\.)?(\w+)"? does not exist'),
)
_OF_STATEMENT: Final = re.compile(rf"\b(?:FROM|INTO|UPDATE)\s+{_NAME}")


class Missing(NamedTuple):
    """What is not there.

    Attributes:
        table: Its name; empty if it is not known.
        column: The name of the one that is missing; ``None``: the table is.
    """

    table: str
    column: str | None

    def __str__(self) -> str:
        """Say it, as the second half of a sentence."""
        kind = "table" if self.column is None else "column"
        name = ".".join(filter(None, (self.table, self.column)))
        return f"a {kind} is missing" + (f" ({name})" if name else "")


def missing_in(error: Exception) -> Missing | None:
    """Return what a database lacks, if that is what *error* says."""
    # SQLite has no code for it. SQLAlchemy's own text would quote the row.
    code, text = code_of(error), str(getattr(error, "orig", error))
    if code == NO_TABLE or "no such table" in text:
        names = _first(_TABLES, text)
        return Missing(names[0] if names else "", None)

    is_column = "no such column" in text or "has no column named" in text
    if code != NO_COLUMN and not is_column:
        return None

    table, column = _column(text)
    return Missing(table or _table_of(getattr(error, "statement", None)), column)


def _first(patterns: tuple[re.Pattern[str], ...], text: str) -> tuple[Any, ...] | None:
    matches = (pattern.search(text) for pattern in patterns)
    return next((match.groups() for match in matches if match), None)


def _column(text: str) -> tuple[str, str]:
    for pattern in _COLUMNS:
        match = pattern.search(text)
        if match is None:
            continue

        names = match.groupdict() or {"table": match[1], "column": match[2]}
        return (names["table"] or "").strip('"'), names["column"].strip('"')

    return "", ""


def _table_of(statement: object) -> str:
    """Return the first table that a statement names."""
    match = _OF_STATEMENT.search(statement) if isinstance(statement, str) else None
    return match[1] if match else ""
