"""Find out whether there is any authentication in an application, for a better error.

It guesses, and guesses "yes" where it cannot see: nothing but a sentence hangs on it.
"""

from __future__ import annotations

import gc
from collections import deque
from types import CodeType, FunctionType, ModuleType
from typing import Any

from asgi_auth.middleware import AuthenticationMiddleware

__all__ = ["is_guarded"]

_MOST = 200_000


def is_guarded(app: Any) -> bool:
    """Say whether an :class:`AuthenticationMiddleware` can be reached from *app*."""
    ids = {id(app)}
    waiting = deque([app])
    while waiting and len(ids) < _MOST:
        thing = waiting.popleft()
        if _is_middleware(thing):
            return True

        for part in _parts(thing):
            if id(part) not in ids:
                ids.add(id(part))
                waiting.append(part)

    return bool(waiting)


def _is_middleware(thing: Any) -> bool:
    # The class itself is what Starlette keeps until the first request.
    kind = thing if isinstance(thing, type) else type(thing)
    return issubclass(kind, AuthenticationMiddleware)


def _parts(thing: Any) -> list[Any]:
    if isinstance(thing, type | ModuleType | CodeType):
        return []

    if isinstance(thing, FunctionType):
        # Not all the globals: every module that imports the middleware has it there.
        names = thing.__code__.co_names
        used = [thing.__globals__[n] for n in names if n in thing.__globals__]
        return [*used, thing.__closure__, thing.__defaults__, thing.__kwdefaults__]

    return gc.get_referents(thing)
