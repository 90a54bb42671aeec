"""Put a secret into an env file, which servers, shells and Compose read.

It adds one line, or none: what stands there already is never changed, and no secret is
ever shown.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

from asgi_auth.errors import ConfigurationError
from asgi_auth.keys._env import KINDS

__all__ = ["add_to_env_file", "is_open_to_others", "key_in_env_file"]

_PREFIX = "ASGI_AUTH_"
_OWNER_ONLY = 0o600
_OTHERS = 0o077
_NAMES = "|".join(f"{kind}(?:_FILE)?" for kind in KINDS)
_LINE = re.compile(
    rf"^[ \t]*(?:export[ \t]+)?({_PREFIX}(?:{_NAMES}))[ \t]*=[ \t]*(.*)$", re.MULTILINE
)
_EMPTY = {"", "''", '""'}


def key_in_env_file(path: Path) -> str | None:
    """Return the variable that holds a key there, or ``None``.

    Raises:
        ConfigurationError: The file cannot be read, or has a line without a value.
    """
    variable = None
    for match in _LINE.finditer(_text_of(path)):
        if match[2].strip() in _EMPTY:
            msg = f"{path} has a line {match[1]}= without a value: take it away first."
            raise ConfigurationError(msg)

        variable = variable or match[1]

    return variable


def add_to_env_file(path: Path, variable: str, value: str) -> bool:
    """Write a variable below what is there; a new file is for its owner alone.

    Returns:
        Whether the file is new.

    Raises:
        ConfigurationError: It cannot be written.
    """
    text = _text_of(path)
    before = "\n" if text and not text.endswith("\n") else ""
    try:
        return _append(path, f"{before}{variable}={value}\n")
    except OSError as error:
        msg = f"{path} cannot be written ({type(error).__name__})."
        raise ConfigurationError(msg) from None


def is_open_to_others(path: Path) -> bool:
    """Say whether others on this machine may read the file or write to it."""
    # Windows has no such bits, and shows them set.
    return os.name == "posix" and bool(path.stat().st_mode & _OTHERS)


def _text_of(path: Path) -> str:
    try:
        return path.read_text("utf-8-sig")
    except FileNotFoundError:
        return ""
    except (OSError, ValueError) as error:
        msg = f"{path} cannot be read as UTF-8 text ({type(error).__name__})."
        raise ConfigurationError(msg) from None


def _append(path: Path, text: str) -> bool:
    """Append to the file, and say whether it was made for that."""
    flags = os.O_WRONLY | os.O_APPEND
    try:
        # Made with its mode: it is never open to others, not even for a moment.
        file = os.open(path, flags | os.O_CREAT | os.O_EXCL, _OWNER_ONLY)
        is_new = True
    except FileExistsError:
        file = os.open(path, flags)
        is_new = False

    with os.fdopen(file, "a", encoding="utf-8") as stream:
        stream.write(text)

    return is_new
