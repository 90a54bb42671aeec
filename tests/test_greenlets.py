"""A traced run knows its greenlets at once, and forgets none of them."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
import weakref
from pathlib import Path

import pytest
from greenlet import getcurrent

from tests.greenlets import keep_greenlets


@pytest.fixture
def traced():
    """Trace the threads that begin, as coverage does."""
    before = threading.gettrace()
    threading.settrace(before or (lambda *event: None))
    yield
    threading.settrace(before)


def greenlet_of_a_thread():
    """Return a reference to the main greenlet of a thread that has ended."""
    references = []
    thread = threading.Thread(
        target=lambda: references.append(weakref.ref(getcurrent()))
    )
    thread.start()
    thread.join()
    return references[0]


def test_the_main_greenlet_of_a_traced_thread_stays(traced):
    keep_greenlets()
    reference = greenlet_of_a_thread()
    for _ in range(10):
        time.sleep(0.01)  # The thread ends after it was joined.

    assert reference() is not None


def test_a_tracer_gets_strong_keys_and_nobody_after_it():
    got = []
    before = threading.gettrace()
    threading.settrace(lambda *event: got.append(weakref.WeakKeyDictionary()))
    keep_greenlets()
    greenlet_of_a_thread()
    threading.settrace(before)

    assert type(got[0]) is dict
    assert isinstance(weakref.WeakKeyDictionary(), weakref.WeakKeyDictionary)


SCRIPT = """
import sys
from coverage import Coverage
from tests.greenlets import keep_greenlets

measured = Coverage(
    data_file=None, config_file=False, branch=True, concurrency=["greenlet", "thread"]
)
measured.start()
keep_greenlets()
sys.path.insert(0, sys.argv[1])
import one, two
from greenlet import greenlet

def run():
    first = greenlet(one.steps)
    second = greenlet(two.steps)
    for _ in range(3):
        first.switch()
        second.switch()
    assert first.dead and second.dead

run()
measured.stop()
for module in (one, two):
    print(measured.analysis2(module.__file__)[3])
"""
STEPS = """
def never():
    return 1


from greenlet import getcurrent


def steps():
    pause()
    seen = 1
    pause()
    seen += 1
    return seen


def pause():
    getcurrent().parent.switch()
"""


def test_what_greenlets_run_in_turns_is_measured(tmp_path):
    for name in ("one", "two"):
        (tmp_path / f"{name}.py").write_text(STEPS)
    run = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(tmp_path)],
        cwd=Path(__file__).parent.parent,
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    assert (run.stdout, run.stderr) == ("[3]\n[3]\n", "")
