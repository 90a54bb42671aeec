"""Tell a path of the own site from an address that leads elsewhere.

It is for what comes from outside and becomes a ``Location``: ``next``, for one. It
never repairs: what browsers, proxies or frameworks could read in two ways is none.
"""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import unquote

__all__ = ["safe_path"]

_LONGEST: Final = 2000

# Printable ASCII without space, backslash and fragment (RFC 3986, section 3.3).
_PATH: Final = re.compile(r"/[!-\"$-\[\]-~]*")
_ODD_SEGMENTS: Final = frozenset({"", ".", ".."})


def safe_path(text: str | None) -> str | None:
    """Return *text* if it is a path of the own origin, with or without a query.

    Args:
        text: What came as ``next``, decoded once.

    Returns:
        The path, or ``None``: it is too long, has a scheme or a host, or is not
        written plainly.
    """
    if text is None or len(text) > _LONGEST or _PATH.fullmatch(text) is None:
        return None

    # Twice: a proxy may decode what we do not.
    path = unquote(text.partition("?")[0])
    forms = (path, unquote(path))
    return text if all(_is_plain(form) for form in forms) else None


def _is_plain(path: str) -> bool:
    segments = path.split("/")[1:]
    if any(segment in _ODD_SEGMENTS for segment in segments[:-1]):
        return False

    is_last_odd = segments[-1] in {".", ".."}
    return not is_last_odd and "\\" not in path and path.isprintable()
