"""Keeps a measurement of coverage from following what it does not measure.

Who traces is told of each call in any library, which makes these two to three times as
slow. While other packages are imported and pytest makes tests out of functions, nothing
of ours runs. And where ``MEASURED`` names folders of tests, as ``.ci/run`` does, only
their tests are followed.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.machinery import SourceFileLoader
from types import ModuleType

import pytest


@contextmanager
def traced_if_measured(
    item: pytest.Item, measured: str | None = os.environ.get("MEASURED")
) -> Iterator[None]:
    """Follow a test, its fixtures and threads only if its folder is measured.

    Args:
        item: The test.
        measured: Names of folders within ``tests``; ``.`` are the files right there.
            ``None`` are all.
    """
    tracer = sys.gettrace()
    if tracer is None or measured is None or _folder_of(item) in measured.split():
        yield
        return

    tracer_of_threads = threading.gettrace()
    sys.settrace(None)
    threading.settrace(None)
    try:
        yield
    finally:
        threading.settrace(tracer_of_threads)
        sys.settrace(tracer)


def _folder_of(item: pytest.Item) -> str:
    folder, *below = item.nodeid.partition("::")[0].split("/")[1:]
    return folder if below else "."


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
