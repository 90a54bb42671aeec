"""What is imported beside us is not traced, and everything else is."""

from __future__ import annotations

import importlib
import sys
import threading
from importlib.machinery import SourceFileLoader
from types import SimpleNamespace

import pytest

from tests.untraced import import_others_untraced, traced_if_measured


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


@pytest.mark.parametrize(
    ("measured", "is_traced"),
    [(None, True), ("keys .", True), ("keys", False), ("test_untraced.py", False)],
)
def test_tests_are_traced_where_their_folder_is_measured(request, measured, is_traced):
    def trace(*_):
        return None

    before, of_threads = sys.gettrace(), threading.gettrace()
    sys.settrace(trace)
    threading.settrace(trace)
    try:
        with traced_if_measured(request.node, measured):
            seen = sys.gettrace(), threading.gettrace()

        assert (sys.gettrace(), threading.gettrace()) == (trace, trace)
    finally:
        sys.settrace(before)
        threading.settrace(of_threads)
    assert seen == ((trace, trace) if is_traced else (None, None))


def test_a_test_in_a_folder_is_told_by_that():
    item = SimpleNamespace(nodeid="tests/keys/more/test_key.py::test_it[a::b]")
    before = sys.gettrace()
    sys.settrace(lambda *_: None)
    try:
        with traced_if_measured(item, "keys"):
            assert sys.gettrace() is not None
        with traced_if_measured(item, "key"):
            assert sys.gettrace() is None
    finally:
        sys.settrace(before)
