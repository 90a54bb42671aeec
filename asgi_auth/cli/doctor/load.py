"""Import the application that is named as ``module:app``, as servers do."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import Any

from asgi_auth.errors import ConfigurationError

__all__ = ["load_app"]


def load_app(target: str, *, factory: bool) -> Any:
    """Return the application.

    Args:
        target: ``module:attribute``; the attribute may have dots.
        factory: It is a function without arguments that makes the application.

    Raises:
        ConfigurationError: It cannot be imported, is not there, or cannot be made.
    """
    module_name, colon, path = target.partition(":")
    if not (module_name and colon and path):
        msg = f"{target!r} is not of the form module:app."
        raise ConfigurationError(msg)

    target_object = _import(module_name)
    for name in path.split("."):
        if not hasattr(target_object, name):
            msg = f"{module_name} has no {path}."
            raise ConfigurationError(msg)

        target_object = getattr(target_object, name)

    return _make(target_object, target) if factory else target_object


def _import(name: str) -> Any:
    # As uvicorn does: applications are run from the folder they are in.
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)

    try:
        return importlib.import_module(name)
    except Exception as error:
        msg = f"{name} cannot be imported: {type(error).__name__}: {error}"
        raise ConfigurationError(msg) from error


def _make(factory: Any, target: str) -> Any:
    try:
        return factory()
    except Exception as error:
        msg = f"{target}() fails: {type(error).__name__}: {error}"
        raise ConfigurationError(msg) from error
