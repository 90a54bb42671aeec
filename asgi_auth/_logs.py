"""One logger for each package, whose lines stay lines and whose handlers harm nobody.

Texts in records may come from strangers: what would begin a new line, or move the
cursor of a terminal, is escaped. It decides nothing about levels or handlers.
"""

from __future__ import annotations

import logging
import re
from contextlib import suppress
from typing import TYPE_CHECKING, Any

__all__ = ["escaped", "package_logger"]

if TYPE_CHECKING:
    _Adapter = logging.LoggerAdapter[logging.Logger]
else:
    _Adapter = logging.LoggerAdapter

# C0, DEL, C1, the separators of lines and paragraphs, what turns the direction of
# writing round (CVE-2021-42574), and halves of characters, which no handler can encode.
_CONTROL = re.compile(
    r"[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]"
)


def package_logger(module: str) -> PackageLogger:
    """Return the logger of a module's package: ``asgi_auth.tokens`` for all in it.

    Args:
        module: Its ``__name__``.
    """
    package = module.split(".")[1].lstrip("_")
    return PackageLogger(logging.getLogger(f"asgi_auth.{package}"), {})


def escaped(text: str) -> str:
    """Return *text* as part of one line."""
    return _CONTROL.sub(_escape, text)


class PackageLogger(_Adapter):
    """Writes for one package; a handler that raises does not end the request."""

    def log(self, level: int, msg: object, *args: object, **kwargs: Any) -> None:
        """Write one line, if anybody wants it."""
        if not self.logger.isEnabledFor(level):
            return

        clean = [_as_line(argument) for argument in args]
        try:
            self.logger.log(level, msg, *clean, stacklevel=2, **kwargs)
        except Exception:  # noqa: BLE001  (a handler raises what it likes)
            # As the handlers of the standard library do it: on stderr, if at all.
            record = {"levelno": level, "msg": msg, "args": tuple(clean)}
            with suppress(Exception):
                logging.Handler().handleError(logging.makeLogRecord(record))


def _as_line(argument: object) -> object:
    if isinstance(argument, int | float):
        return argument

    return escaped(str(argument))


def _escape(match: re.Match[str]) -> str:
    return match[0].encode("unicode_escape").decode("ascii")
