"""Keeps a measurement of coverage from following what it does not measure.

Who traces is told of each call in any library, which makes these two to three times as
slow. While other packages are imported and pytest makes tests out of functions, nothing
of ours runs.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from importlib.machinery import SourceFileLoader
from types import ModuleType

import pytest


def import_others_untraced() -> None:
    """Import what is installed beside us untraced from now on, if this is traced."""
    if sys.gettrace() is None:
        return

    execute = SourceFileLoader.exec_module

    def execute_untraced(self: SourceFileLoader, module: ModuleType) -> None:
        tracer = sys.gettrace()
        # The package may be installed there itself.
        is_other = "/site-packages/" in self.path and "/asgi_auth/" not in self.path
        if is_other:
            sys.settrace(None)
        try:
            execute(self, module)
        finally:
            sys.settrace(tracer)

    SourceFileLoader.exec_module = execute_untraced


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_pycollect_makeitem() -> Iterator[object]:
    """Make tests out of functions and classes that are imported."""
    tracer = sys.gettrace()
    sys.settrace(None)
    try:
        return (yield)
    finally:
        sys.settrace(tracer)
