"""What the codes of PostgreSQL and SQLite mean for those who wait for an answer.

It imports no driver: errors carry their codes as attributes.
"""

from __future__ import annotations

__all__ = [
    "NO_COLUMN",
    "NO_TABLE",
    "ONLY_READS",
    "POOLER",
    "advice_on",
    "broken_constraint",
    "code_of",
    "is_outage",
    "words_on",
]

NO_TABLE = "42P01"
NO_COLUMN = "42703"

# What says "not now". SQLSTATEs: a broken connection, a replica that only reads, no
# right to connect, no such database, a deadlock, no resources, no lock in time, an
# operator's or a system's failure. SQLite: a lock, a disk, or a file that is not there.
_OUTAGES = (
    *("08", "25006", "28", "3D", "40", "42501", "53", "55P03", "57", "58"),
    *("SQLITE_BUSY", "SQLITE_CANTOPEN", "SQLITE_CORRUPT", "SQLITE_FULL"),
    *("SQLITE_INTERRUPT", "SQLITE_IOERR", "SQLITE_LOCKED", "SQLITE_NOMEM"),
    *("SQLITE_NOTADB", "SQLITE_PERM", "SQLITE_PROTOCOL", "SQLITE_READONLY"),
)

# The statement is not there under its name, or another one is: a pooler has handed us
# another connection. In both cases nothing was run.
POOLER = ("26000", "42P05")

# It may be the connection alone: opened while the file had no rights, or to a replica
# while a name still led there, it never writes, whatever becomes of the database.
ONLY_READS = ("25006", "SQLITE_READONLY")


_POOLER_ADVICE = (
    "a pooler in transaction mode is between us and PostgreSQL: add pgbouncer=true to "
    "the query of the database URL"
)
_ADVICE = {
    "3F000": "the schema is missing: CREATE SCHEMA makes it",
    **dict.fromkeys(POOLER, _POOLER_ADVICE),
}


# What is most likely wrong: the longest beginning counts.
_WORDS = {
    "08": "the connection broke",
    "25006": "it is a replica that only reads, or a transaction that does",
    "28": "the user is not let in from here (pg_hba.conf, the role, TLS)",
    "28P01": "the password, or the user name, is wrong",
    "3D000": "there is no database of this name",
    "40": "transactions were in each other's way",
    "42501": "the user has no right to do this (GRANT)",
    "53": "the server has no resources left",
    "53100": "its disk is full",
    "53300": "it has too many connections",
    "55P03": "a lock was not to be had in time",
    "57": "an operator, or the server itself, has ended the statement",
    "57014": "the statement took too long",
    "57P01": "it is shutting down",
    "57P03": "it is starting or stopping",
    "58": "its system fails",
    "SQLITE_BUSY": "another process writes for too long",
    "SQLITE_CANTOPEN": "the file cannot be opened: see its folder and its rights",
    "SQLITE_CORRUPT": "the file is damaged",
    "SQLITE_FULL": "the disk is full",
    "SQLITE_IOERR": "the disk, or its file system, fails",
    "SQLITE_LOCKED": "a table is locked",
    "SQLITE_NOTADB": "the file is no SQLite database",
    "SQLITE_PERM": "the file's rights do not allow it",
    "SQLITE_READONLY": "the file, or its file system, can only be read",
}


def words_on(code: str) -> str:
    """Return what is most likely wrong at a database that says *code*, or ``""``."""
    starts = [start for start in _WORDS if code.startswith(start)]
    return _WORDS[max(starts, key=len)] if starts else ""


def advice_on(code: str) -> str | None:
    """Return what its owner is to do to a database with this error, if anything."""
    return _ADVICE.get(code)


def is_outage(code: str) -> bool:
    """Report whether a code says "not now"."""
    return code.startswith(_OUTAGES)


_UNIQUE = ("23505", "SQLITE_CONSTRAINT_UNIQUE", "SQLITE_CONSTRAINT_PRIMARYKEY")
_MISSING = ("23502", "SQLITE_CONSTRAINT_NOTNULL")


def broken_constraint(code: str) -> str:
    """Return which kind of constraint is broken.

    Returns:
        ``unique``; ``missing``, of a value that must be there; ``other``, of a foreign
        key or a check; ``""`` where the code does not say so.
    """
    if code in _UNIQUE:
        return "unique"

    if code in _MISSING:
        return "missing"

    return "other" if code.startswith(("23", "SQLITE_CONSTRAINT_")) else ""


def code_of(error: BaseException | None) -> str:
    """Find the SQLSTATE, or the name that SQLite has for it; ``""`` for neither."""
    while error is not None:
        for word in ("sqlstate", "sqlite_errorname"):
            if isinstance(code := getattr(error, word, None), str):
                return code

        error = getattr(error, "orig", None) or error.__cause__

    return ""
