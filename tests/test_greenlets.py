"""A traced run forgets no greenlet within a pending call of the interpreter."""

from __future__ import annotations

import threading
import time
import weakref

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
