"""Mark a plain function as one whose calls are awaited.

Python has that since 3.12. Tools that ask, asgiref for one, would warn without it; the
function stays plain, which spares a coroutine for each call.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any, TypeVar

__all__ = ["awaited"]

F = TypeVar("F", bound=Callable[..., Any])

if sys.version_info >= (3, 12):
    from inspect import markcoroutinefunction as _mark
else:
    from asyncio import coroutines

    def _mark(function: F) -> F:
        function._is_coroutine = coroutines._is_coroutine  # type: ignore[attr-defined]  # noqa: SLF001
        return function


def awaited(function: F) -> F:
    """Return *function*, marked as a coroutine function."""
    return _mark(function)
