"""Let a package offer names whose modules are imported when somebody asks for one.

So ``asgi_auth.stores`` names the SQL and the Redis store, and imports neither driver
for who wants the one in memory (PEP 562).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any

__all__ = ["lazily"]


def lazily(package: str, homes: Mapping[str, str]) -> Callable[[str], Any]:
    """Return the ``__getattr__`` of *package*.

    Args:
        package: Its full name.
        homes: Modules of it, by name, with the names that each gives, in one text.
    """
    modules = {
        name: module for module, names in homes.items() for name in names.split()
    }

    def give(name: str) -> Any:
        module = modules.get(name)
        if module is None:
            msg = f"module {package!r} has no attribute {name!r}"
            raise AttributeError(msg)

        return getattr(import_module(f"{package}.{module}"), name)

    return give
