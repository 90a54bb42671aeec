"""Which strings a store takes as ids: all stores draw the line where PostgreSQL does.

It never mends a string: two ids must not become one.
"""

from __future__ import annotations

__all__ = ["check_storable", "is_storable"]

_LONGEST = 1000
"""Bytes of UTF-8. Two of them fit into one entry of a PostgreSQL index."""


def is_storable(text: str) -> bool:
    """Say whether a store can hold *text*: no NUL, no lone surrogate, not endless."""
    if "\0" in text or len(text) > _LONGEST:
        return False

    try:
        return len(text.encode()) <= _LONGEST
    except UnicodeEncodeError:
        return False


def check_storable(**texts: str) -> None:
    """Refuse what no store can hold.

    Args:
        **texts: The strings, by the name that the error is to call them.

    Raises:
        ValueError: One has a NUL, a lone surrogate, or more than 1000 bytes.
    """
    for name, text in texts.items():
        if not is_storable(text):
            msg = f"{name} has a NUL, a lone surrogate or over {_LONGEST} bytes"
            raise ValueError(msg)
