"""Say what a driver's error is to those who wait for a database, and to its operator.

It imports no driver. The text of an error is never repeated: it may hold an address
with a password, or a value.
"""

from __future__ import annotations

from typing import Any

from asgi_auth._drivers.causes import cause_of
from asgi_auth._drivers.sql_codes import advice_on, code_of, is_outage, words_on
from asgi_auth._drivers.sql_missing import missing_in
from asgi_auth._drivers.urls import shown_host
from asgi_auth.errors import ConfigurationError, UnavailableError

__all__ = ["fault_of", "place_of"]


def place_of(url: Any) -> str:
    """Say where a database is, without user and password.

    Args:
        url: Of SQLAlchemy.
    """
    if url.get_backend_name() == "sqlite":
        return f"the database {url.database or ':memory:'}"

    host = url.host or url.query.get("host") or "the default host"
    port = f":{url.port}" if url.port else ""
    return f"the database {url.database or ''!r} at {shown_host(str(host))}{port}"


_CREATE = "await create_schema() once, before the first use"
_MIGRATE = "migrate it to this release (Alembic, or ALTER TABLE)"


def fault_of(
    error: Exception,
    place: str,
    *,
    lost: tuple[type[Exception], ...],
    cure: str = "",
) -> Exception | None:
    """Return what is raised in place of *error*; ``None``: it is a bug of ours.

    Args:
        error: As a driver, or SQLAlchemy, raised it.
        place: Of the database.
        lost: What means that there is no server which could say a code.
        cure: What helps where a table or a column is missing; by default what helps
            with tables of ours.
    """
    missing = missing_in(error)
    if missing is not None:
        ours = _CREATE if missing.column is None else _MIGRATE
        return ConfigurationError(f"{place}: {missing}: {cure or ours}")

    code = code_of(error)
    advice = advice_on(code)
    if advice is not None:
        return ConfigurationError(f"{place}: {advice}")

    if is_outage(code):
        words = words_on(code) or "it cannot serve now"
        return UnavailableError(f"{place}: {words} (code {code})")

    is_lost = isinstance(error, lost) and not code
    if is_lost or getattr(error, "connection_invalidated", False):
        return UnavailableError(f"{place} cannot be reached: {cause_of(error)}")

    return None
