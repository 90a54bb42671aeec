"""Keeps a traced run on Python 3.11 from turning in one place for ever.

A thread that ends leaves its main greenlet to a pending call of the interpreter.
Coverage knows greenlets by weak references and forgets those that go: in Python, and so
within that call. If another thread ends meanwhile, its own call has to wait for the
first, and Python 3.11 tries to make it wherever the next traced function begins, for
ever.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

_kept: list[object] = []


def keep_greenlets() -> None:
    """Let no main greenlet go, of the threads that begin from now on."""
    begin: Callable[..., Any] | None = threading.gettrace()
    if begin is None:
        return

    from greenlet import getcurrent

    def keep_and_begin(*event: object) -> Any:
        # Twice: of one that is held once, greenlet searches all objects for who does.
        _kept.extend([getcurrent()] * 2)
        return begin(*event)

    threading.settrace(keep_and_begin)
