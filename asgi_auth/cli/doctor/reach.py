"""Find what an application is made of, in whatever framework it is written.

Frameworks keep their layers in attributes, lists and closures of their own; the
garbage collector knows them all. Nothing is called but what builds the layers: whose
class an object has is not even asked of itself, as proxies would wake up. No request
is sent through the application instead: it would find less, and run the user's code
(docs/explanation/house.md has what was measured).
"""

from __future__ import annotations

import contextlib
import gc
import inspect
from collections import deque
from collections.abc import Iterable, Iterator
from functools import cached_property, partial
from types import (
    BuiltinFunctionType,
    CodeType,
    FrameType,
    FunctionType,
    MethodType,
    ModuleType,
)
from typing import Any

__all__ = ["holds_a_stack", "layers_above", "reachable"]

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
_COMPUTED = (property, cached_property)
# Where frameworks keep the next layer. The names are theirs.
_NEXT = ("_app", "app", "asgi_app", "asgi_handler", "wrapped", "inner", "application")
_APP = ("scope", "receive", "send")
_LISTED = "http_middleware"  # Nexios makes its layers anew for each request.
_STACKS = ("build_middleware_stack", "asgi_app", "asgi_handler")


def reachable(app: Any) -> Iterator[Any]:
    """Yield every object that *app* holds, directly or not; each once, no proxies."""
    ids: set[int] = set()
    # What is yielded must stay alive, or its id might come again.
    parts: list[Any] = []
    queue = deque([app])
    while queue and len(parts) < _MOST:
        part = queue.popleft()
        if id(part) in ids or issubclass(type(part), _LEAVES):
            continue

        ids.add(id(part))
        parts.append(part)
        _build(part)
        if not _is_proxy(type(part)):
            yield part

        queue.extend(_inside(part))


def layers_above(app: Any, kind: type) -> list[Any] | None:
    """Return the layers from *app* down to the first *kind*, without it.

    ``None`` where there is no such layer on the way.
    """
    above: list[Any] = []
    while app is not None and all(app is not layer for layer in above):
        if issubclass(type(app), kind):
            return above

        _build(app)
        above.append(app)
        listed = _attribute_of(app, _LISTED)
        if isinstance(listed, list):
            outside = _listed_above(listed, kind)
            return None if outside is None else above + outside

        app = _next(app)

    return None


def holds_a_stack(app: Any) -> bool:
    """Say whether it is an application with its middleware inside, not a wrapper."""
    named = any(hasattr(type(app), name) for name in _STACKS)
    return named or isinstance(_attribute_of(app, _LISTED), list)


def _listed_above(listed: list[Any], kind: type) -> list[Any] | None:
    """Return what is listed before the *kind*; ``None`` where that is not."""
    above: list[Any] = []
    for layer, _, options in listed:
        if any(issubclass(type(part), kind) for part in reachable(layer)):
            return above

        above.append(options.get("dispatch", layer))

    return None


def _build(app: Any) -> None:
    """Let Starlette and its kin put their layers together, as at the first request."""
    if not callable(getattr(type(app), "build_middleware_stack", None)):
        return

    with contextlib.suppress(Exception):
        if app.middleware_stack is None:
            app.middleware_stack = app.build_middleware_stack()


def _next(app: Any) -> Any:
    kind = type(app)
    if kind is MethodType:
        return app.__self__

    if kind is FunctionType:
        return next(filter(callable, _closed_over(app)), None)

    if kind is partial:
        return app.func

    names = ("middleware_stack", *_NEXT)
    return next(
        (one for name in names if callable(one := _attribute_of(app, name))), None
    )


def _attribute_of(app: Any, name: str) -> Any:
    """Return an attribute as it is kept; a property is not asked."""
    attribute = inspect.getattr_static(app, name, None)
    if attribute is None or type(attribute) in _COMPUTED:
        return None

    with contextlib.suppress(Exception):
        return getattr(app, name)

    return None


def _is_proxy(kind: type) -> bool:
    """Say whether it stands for something else: its class is given as another."""
    return any("__class__" in vars(base) for base in kind.__mro__[:-1])


def _inside(part: Any) -> Iterable[Any]:
    if type(part) is not FunctionType:
        return gc.get_referents(part)

    # Not its globals: they are the whole module, used or not.
    defaults = (*(part.__defaults__ or ()), *(part.__kwdefaults__ or {}).values())
    return (*_closed_over(part), *_named_by(part), *defaults, vars(part))


def _named_by(function: FunctionType) -> Iterator[Any]:
    """Yield what an ASGI app written as a function names of its module.

    Of other functions that is not asked: it would lead through the whole program.
    """
    code = function.__code__
    if code.co_varnames[: code.co_argcount][-3:] == _APP:
        names = (name for name in code.co_names if name in function.__globals__)
        yield from filter(callable, map(function.__globals__.get, names))


def _closed_over(function: FunctionType) -> Iterator[Any]:
    for cell in function.__closure__ or ():
        with contextlib.suppress(ValueError):  # It is still empty.
            yield cell.cell_contents
