"""Find what an application is made of, in whatever framework it is written.

Frameworks keep their layers in attributes, lists and closures of their own; the
garbage collector knows them all. Nothing is called but what builds the layers.
"""

from __future__ import annotations

import contextlib
import gc
from collections import deque
from collections.abc import Iterable, Iterator
from types import (
    BuiltinFunctionType,
    CodeType,
    FrameType,
    FunctionType,
    MethodType,
    ModuleType,
)
from typing import Any

__all__ = ["layers_above", "reachable"]

_MOST = 500_000
_LEAVES = (
    bool,
    bytes,
    bytearray,
    complex,
    float,
    int,
    str,
    type,
    BuiltinFunctionType,
    CodeType,
    FrameType,
    ModuleType,
)
# Where frameworks keep the next layer. The names are theirs.
_NEXT = ("_app", "app", "asgi_app", "asgi_handler", "wrapped", "inner", "application")


def reachable(app: Any) -> Iterator[Any]:
    """Yield every object that *app* holds, directly or not; each once."""
    _build(app)
    seen: set[int] = set()
    # What is yielded must stay alive, or its id might come again.
    kept: list[Any] = []
    queue = deque([app])
    while queue and len(kept) < _MOST:
        found = queue.popleft()
        if id(found) in seen or isinstance(found, _LEAVES):
            continue

        seen.add(id(found))
        kept.append(found)
        yield found
        queue.extend(_inside(found))


def layers_above(app: Any, wanted: type) -> list[Any] | None:
    """Return the layers from *app* down to the first *wanted*, without it.

    ``None`` where there is no such layer on the way.
    """
    _build(app)
    above: list[Any] = []
    while app is not None and app not in above:
        if isinstance(app, wanted):
            return above

        above.append(app)
        app = _next(app)

    return None


def _build(app: Any) -> None:
    """Let Starlette and its kin put their layers together, as at the first request."""
    build = getattr(app, "build_middleware_stack", None)
    if callable(build) and getattr(app, "middleware_stack", False) is None:
        with contextlib.suppress(Exception):
            app.middleware_stack = build()


def _next(app: Any) -> Any:
    if isinstance(app, MethodType):
        return app.__self__

    if isinstance(app, FunctionType):
        return next(filter(callable, _closed_over(app)), None)

    stack = getattr(app, "middleware_stack", None)
    if stack is not None:
        return stack

    return next(
        (held for name in _NEXT if callable(held := getattr(app, name, None))), None
    )


def _inside(found: Any) -> Iterable[Any]:
    if not isinstance(found, FunctionType):
        return gc.get_referents(found)

    # Not its globals: they are the whole module, used or not.
    defaults = (*(found.__defaults__ or ()), *(found.__kwdefaults__ or {}).values())
    return (*_closed_over(found), *defaults, vars(found))


def _closed_over(function: FunctionType) -> Iterator[Any]:
    for cell in function.__closure__ or ():
        with contextlib.suppress(ValueError):  # It is still empty.
            yield cell.cell_contents
