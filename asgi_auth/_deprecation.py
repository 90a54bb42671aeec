"""Let what is old go on working for a while, and say what to use instead.

``docs/explanation/releases.md`` promises for how long. Nothing is taken away here.
"""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable, Mapping
from importlib import import_module
from inspect import iscoroutinefunction
from typing import Any, ParamSpec, TypeVar

__all__ = ["deprecated", "renamed"]

P = ParamSpec("P")
R = TypeVar("R")


def deprecated(*, since: str, use: str) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Let a function or a method warn whoever calls it.

    Args:
        since: The version that warns first, for instance ``0.3``.
        use: What to write instead.
    """

    def mark(function: Callable[P, R]) -> Callable[P, R]:
        text = _text(f"{function.__qualname__}()", since, use)
        if iscoroutinefunction(function):

            @functools.wraps(function)
            async def waits(*args: P.args, **kwargs: P.kwargs) -> Any:
                warnings.warn(text, DeprecationWarning, stacklevel=2)
                return await function(*args, **kwargs)

            return waits  # type: ignore[return-value]

        @functools.wraps(function)
        def answers(*args: P.args, **kwargs: P.kwargs) -> R:
            warnings.warn(text, DeprecationWarning, stacklevel=2)
            return function(*args, **kwargs)

        return answers

    return mark


def renamed(
    package: str,
    names: Mapping[str, str],
    *,
    since: str,
    otherwise: Callable[[str], Any] | None = None,
) -> Callable[[str], Any]:
    """Return a ``__getattr__`` for *package* that still knows the old names (PEP 562).

    Args:
        package: Its full name.
        names: The new full name of each old one.
        since: The version that warns first.
        otherwise: What is asked for all other names, as :func:`asgi_auth._lazy.lazily`.

    Raises:
        AttributeError: The returned function knows no such name.
    """

    def give(name: str) -> Any:
        new = names.get(name)
        if new is not None:
            text = _text(f"{package}.{name}", since, new)
            warnings.warn(text, DeprecationWarning, stacklevel=2)
            module, _, attribute = new.rpartition(".")
            return getattr(import_module(module), attribute)

        if otherwise is not None:
            return otherwise(name)

        msg = f"module {package!r} has no attribute {name!r}"
        raise AttributeError(msg)

    return give


def _text(old: str, since: str, use: str) -> str:
    return f"{old} is deprecated since asgi-auth {since}: use {use}."
