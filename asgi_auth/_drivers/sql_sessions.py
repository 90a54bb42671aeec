"""What sessions of an application's own need of us: none is opened here."""

from __future__ import annotations

from typing import Any

from asgi_auth._drivers.sql import sa
from asgi_auth._drivers.sql_faults import fault_of
from asgi_auth.errors import MissingExtraError

__all__ = ["require", "session_fault"]


def require(owner: str) -> None:
    """Make sure that SQLAlchemy is there.

    Raises:
        MissingExtraError: It is not installed.
    """
    door: Any = sa
    if door is None:
        msg = f'{owner} needs SQLAlchemy: python -m pip install "asgi-auth[sql]"'
        raise MissingExtraError(msg)


def session_fault(error: Exception) -> Exception | None:
    """Return what is raised in place of *error*; ``None``: that is no outage."""
    lost = (OSError, sa.exc.TimeoutError, sa.exc.OperationalError)
    return fault_of(error, "the users' database", lost=lost)
