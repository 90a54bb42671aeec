"""Read what a guard is given: callables and texts; nothing is called here."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

from asgi_auth.errors import ConfigurationError

__all__ = [
    "gets_no_connection",
    "is_app",
    "is_async",
    "name_of",
    "place_of",
    "positional",
    "texts",
]

_APP = ["scope", "receive", "send"]


def is_app(target: Callable[..., Any]) -> bool:
    """Say whether it is an ASGI app, by its signature: ``(scope, receive, send)``."""
    return _names(target) == _APP


def is_async(target: Callable[..., Any]) -> bool:
    """Say whether calling *target* makes a coroutine; look through partials."""
    while isinstance(target, partial):
        target = target.func

    # The class's own, as the interpreter does: an instance cannot say otherwise.
    call = getattr(type(target), "__call__", None)  # noqa: B004
    return inspect.iscoroutinefunction(target) or inspect.iscoroutinefunction(call)


def positional(target: Callable[..., Any]) -> int | None:
    """Count the arguments that *target* must be given, if it takes them by position.

    ``None`` where it asks for others, or does not say.
    """
    try:
        parameters = inspect.signature(target).parameters.values()
    except (TypeError, ValueError):
        return None

    needed = [p for p in parameters if p.default is p.empty and p.kind not in _LOOSE]
    if any(parameter.kind is parameter.KEYWORD_ONLY for parameter in needed):
        return None

    return len(needed)


def gets_no_connection(target: Callable[..., Any]) -> bool:
    """Say whether no request can be among the arguments of *target*.

    It has none, or they are all declared to be texts, numbers and the like.
    """
    try:
        parameters = inspect.signature(target).parameters.values()
    except (TypeError, ValueError):
        return False

    return all(p.kind not in _LOOSE and _is_plain(p.annotation) for p in parameters)


def place_of(target: Callable[..., Any]) -> str:
    """Return the name of *target*, and where it is written if that is known."""
    name = getattr(target, "__qualname__", type(target).__name__)
    code = getattr(inspect.unwrap(target), "__code__", None)
    if code is None:
        return str(name)

    return f"{name} ({code.co_filename}:{code.co_firstlineno})"


def name_of(target: Callable[..., Any]) -> str:
    """Return what messages call *target*."""
    return str(getattr(target, "__name__", type(target).__name__))


_PLAIN = {"bool", "bytes", "float", "int", "str", "None"}
_LOOSE = {inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD}


def _is_plain(annotation: object) -> bool:
    source = annotation if isinstance(annotation, str) else None
    text = inspect.formatannotation(annotation) if source is None else source
    return _PLAIN.issuperset(word.strip() for word in text.split("|"))


def _names(target: Callable[..., Any]) -> list[str]:
    try:
        return [*inspect.signature(target).parameters]
    except (TypeError, ValueError):
        return []


def texts(name: str, value: str | Iterable[str]) -> frozenset[str]:
    """Return one text or several as a set.

    Args:
        name: What the setting is called.
        value: Its value.

    Raises:
        ConfigurationError: It is something else, or a text is empty.
    """
    alone = isinstance(value, str) or not isinstance(value, Iterable)
    values: list[object] = [value] if alone else [*value]
    # Not str(text): an enumeration's member is its value here, and not its name.
    words = [text for text in values if isinstance(text, str) and text]
    if len(words) == len(values):
        return frozenset(words)

    msg = f"{name} must be a text or several texts, and none may be empty."
    raise ConfigurationError(msg)
