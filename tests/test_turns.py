"""Who runs when: some have the machine for themselves, and the longest begin."""

from __future__ import annotations

import secrets
import threading
from pathlib import Path

import pytest

from tests.conftest import _turn
from tests.order import LONGEST, SHARED

ROOT = Path(__file__).parent.parent


def test_who_is_alone_waits_for_all_and_keeps_all_out():
    run, order = secrets.token_hex(8), []
    is_inside, may_leave = threading.Event(), threading.Event()

    def first():
        with _turn(run, alone=False):
            is_inside.set()
            may_leave.wait(5)
            order.append("together")

    def second():
        with _turn(run, alone=True):
            order.append("alone")

    threads = [threading.Thread(target=first), threading.Thread(target=second)]
    threads[0].start()
    assert is_inside.wait(5)
    threads[1].start()
    with _turn(secrets.token_hex(8), alone=True):
        assert order == []  # Another run has a machine of its own.
    may_leave.set()
    for thread in threads:
        thread.join(5)

    assert order == ["together", "alone"]


def test_several_may_run_together():
    run = secrets.token_hex(8)
    with _turn(run, alone=False), _turn(run, alone=False):
        pass


@pytest.mark.parametrize("folder", SHARED)
def test_a_folder_that_shares_what_it_starts_is_there(folder):
    assert (ROOT / folder / "conftest.py").is_file()
    parts = {
        name.partition(" ")[2] for name in LONGEST if name.startswith(f"{folder} ")
    }
    assert parts == {str(part) for part in range(SHARED[folder])}
