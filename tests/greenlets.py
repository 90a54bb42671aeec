"""Makes coverage quick at telling greenlets apart, and lets none of them go.

Coverage asks at every call and return, of any library, which greenlet runs, and looks
for it in a dictionary of weak references. That one is written in Python: the look-ups
take longer than many a test.

What is forgotten there is forgotten in Python, too. A thread that ends leaves its main
greenlet to a pending call of the interpreter. If another thread ends meanwhile, its own
call has to wait for the first, and Python 3.11 tries to make it wherever the next
traced function begins, for ever.
"""

from __future__ import annotations

import sys
import threading
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

_WEAK: Final = weakref.WeakKeyDictionary
_kept: list[object] = []


def keep_greenlets() -> None:
    """Have coverage hold the greenlets that it meets from now on."""
    begin: Callable[..., Any] | None = threading.gettrace()
    if begin is None:
        return

    from greenlet import getcurrent

    def keep_and_begin(*event: object) -> Any:
        # Twice: of one that is held once, greenlet searches all objects for who does.
        _kept.extend([getcurrent()] * 2)
        with _strong_keys():
            return begin(*event)

    threading.settrace(keep_and_begin)
    # This thread begins anew: what is called next brings a tracer of its own.
    if sys.gettrace() is not None:
        sys.settrace(keep_and_begin)


@contextmanager
def _strong_keys() -> Iterator[None]:
    """Give who asks for a dictionary of weak keys meanwhile one that is written in C.

    A tracer asks as it is made; it cannot be given one.
    """
    weakref.WeakKeyDictionary = dict
    try:
        yield
    finally:
        weakref.WeakKeyDictionary = _WEAK
