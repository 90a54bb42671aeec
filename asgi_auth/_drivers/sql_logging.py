"""What SQLAlchemy may log of our statements: no values, and no rows.

``hide_parameters`` leaves the values out; rows it does not hide.
"""

from __future__ import annotations

import logging
from typing import Any, TypeVar

__all__ = ["without_rows"]

Engine = TypeVar("Engine", bound=Any)


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


def _is_no_row(record: logging.LogRecord) -> bool:
    return record.levelno > logging.DEBUG
