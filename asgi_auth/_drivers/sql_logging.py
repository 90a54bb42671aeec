"""What SQLAlchemy may log of our statements: no values, and no rows.

``hide_parameters`` leaves the values out; rows it does not hide. Engines of others are
left as they are.
"""

from __future__ import annotations

import logging
from typing import Any, TypeVar

__all__ = ["logs_values", "under_own_name", "without_rows"]

Engine = TypeVar("Engine", bound=Any)


def under_own_name(engine: Engine) -> Engine:
    """Have a copy of somebody's engine log neither values nor rows of our statements.

    Args:
        engine: What ``execution_options()`` of an async engine has returned.
    """
    own = engine.sync_engine
    own.hide_parameters = True
    own.logging_name = "asgi_auth"
    own.echo = own.echo  # Looks its logger up anew, by that name.
    return without_rows(engine)


def without_rows(engine: Engine) -> Engine:
    """Have *engine* log no rows: at DEBUG they would be hashes and addresses.

    Args:
        engine: An async engine with a ``logging_name``, so that its logger is its own.
    """
    logger: Any = engine.sync_engine.logger
    own: logging.Logger = getattr(logger, "logger", logger)
    if _is_no_row not in own.filters:
        own.addFilter(_is_no_row)

    return engine


def logs_values(engine: Any) -> bool:
    """Report whether an engine logs values of statements, or rows, as things are.

    Args:
        engine: One that is not asynchronous, as within an async engine.
    """
    logger = engine.logger
    says_values = logger.isEnabledFor(logging.INFO) and not engine.hide_parameters
    return says_values or logger.isEnabledFor(logging.DEBUG)


def _is_no_row(record: logging.LogRecord) -> bool:
    return record.levelno > logging.DEBUG
