"""What sessions of an application's own need of us: none is opened here.

Their engine is the application's: of what it logs, we can only warn.
"""

from __future__ import annotations

from typing import Any

from asgi_auth._drivers.sql import sa
from asgi_auth._drivers.sql_codes import code_of
from asgi_auth._drivers.sql_faults import fault_of, place_of
from asgi_auth._drivers.sql_logging import logs_values
from asgi_auth._logs import package_logger
from asgi_auth.errors import ConfigurationError, MissingExtraError

__all__ = ["require", "session_fault", "warn_of_values"]

_logger = package_logger(__name__)


def require(owner: str) -> None:
    """Make sure that SQLAlchemy is there.

    Raises:
        MissingExtraError: It is not installed.
    """
    door: Any = sa
    if door is None:
        msg = f'{owner} needs SQLAlchemy: python -m pip install "asgi-auth[sql]"'
        raise MissingExtraError(msg)


def session_fault(error: Exception, session: Any, model: type[Any]) -> Exception | None:
    """Return what is raised in place of *error*; ``None``: it is not of a database.

    Args:
        error: As a driver, or SQLAlchemy, raised it.
        session: The one that it was raised in; ``None``: none was opened.
        model: Whose rows were asked for.
    """
    place = _place_of(session, model)
    lost = (OSError, sa.exc.TimeoutError, sa.exc.OperationalError)
    fault = fault_of(error, place, lost=lost, cure="run your migrations")
    if fault is not None or not isinstance(error, sa.exc.StatementError):
        return fault

    kind, code = type(error.orig).__name__, code_of(error) or "none"
    return ConfigurationError(
        f"{place}: a statement for {model.__name__} was refused: {kind} (code {code})"
        f"{_reason_of(error.orig, code)}"
    )


def warn_of_values(session: Any, model: type[Any]) -> None:
    """Warn if what our statements say of users is logged by the application's engine.

    Args:
        session: Of the application; it need not be connected yet.
        model: Whose rows are asked for.
    """
    engine = _engine_of(session, model)
    if engine is not None and logs_values(engine):
        _logger.warning(
            "SQLAlchemy logs values of %s on %s, password hashes and addresses among "
            "them: make the engine with hide_parameters=True, and have it log no DEBUG",
            model.__name__,
            place_of(engine.url),
        )


def _reason_of(error: object, code: str) -> str:
    """Return what a driver says of a statement, which has no values in it."""
    is_of_statement = code == "SQLITE_ERROR" or code.startswith("42")
    return f": {str(error).splitlines()[0]}" if is_of_statement and str(error) else ""


def _place_of(session: Any, model: type[Any]) -> str:
    engine = _engine_of(session, model)
    return "the users' database" if engine is None else place_of(engine.url)


def _engine_of(session: Any, model: type[Any]) -> Any:
    """Return the engine of a model, or ``None`` where a session does not say."""
    try:
        return session.get_bind(model).engine
    except (AttributeError, sa.exc.SQLAlchemyError):
        return None
