"""What is imported beside us is not traced, and everything else is."""

from __future__ import annotations

import importlib
import sys
from importlib.machinery import SourceFileLoader

import pytest

from tests.untraced import import_others_untraced


@pytest.fixture
def traced(monkeypatch, tmp_path):
    """Trace this thread until the test ends, and note which modules were traced."""
    names = set()

    def trace(frame, event, arg):
        if str(tmp_path) in frame.f_code.co_filename:
            names.add(frame.f_globals["__name__"])

    monkeypatch.setattr(SourceFileLoader, "exec_module", SourceFileLoader.exec_module)
    before = sys.gettrace()
    sys.settrace(trace)
    yield names
    sys.settrace(before)


def write(folder, name, source, monkeypatch):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.py").write_text(source)
    monkeypatch.syspath_prepend(folder)


def test_other_packages_are_imported_untraced(traced, tmp_path, monkeypatch):
    write(tmp_path / "site-packages", "other_one", "def call(): 1", monkeypatch)
    write(tmp_path, "our_one", "import other_one", monkeypatch)
    import_others_untraced()
    module = importlib.import_module("our_one")
    assert traced == {"our_one"}

    module.other_one.call()
    assert traced == {"our_one", "other_one"}


def test_our_package_is_traced_where_others_are(traced, tmp_path, monkeypatch):
    folder = tmp_path / "site-packages" / "asgi_auth"
    write(folder, "installed_one", "", monkeypatch)
    import_others_untraced()
    importlib.import_module("installed_one")
    assert traced == {"installed_one"}


def test_an_import_that_fails_leaves_the_trace(traced, tmp_path, monkeypatch):
    write(tmp_path / "site-packages", "broken_one", "1 / 0", monkeypatch)
    import_others_untraced()
    tracer = sys.gettrace()
    with pytest.raises(ZeroDivisionError):
        importlib.import_module("broken_one")
    assert sys.gettrace() is tracer


def test_who_is_not_traced_imports_as_ever(monkeypatch):
    execute = SourceFileLoader.exec_module
    monkeypatch.setattr(SourceFileLoader, "exec_module", execute)
    before = sys.gettrace()
    sys.settrace(None)
    import_others_untraced()
    sys.settrace(before)
    assert SourceFileLoader.exec_module is execute
