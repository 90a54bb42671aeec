"""Who runs when: some have the machine for themselves, and the longest begin."""

from __future__ import annotations

import secrets
import threading
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.order import LONGEST, SHARED, is_alone_by_name
from tests.turns import Turns, is_alone, put_alone_first

ROOT = Path(__file__).parent.parent


@dataclass
class Item:
    path: Path
    name: str
    is_alone: bool

    def get_closest_marker(self, name):
        assert name == "alone"
        return self.is_alone or None


@pytest.fixture
def several():
    """Make turns of processes: ``several(run)``."""
    with ExitStack() as stack:
        yield lambda run: stack.enter_context(closing(Turns(run)))


def test_who_is_alone_waits_for_all_and_keeps_all_out(several):
    run, order = secrets.token_hex(8), []
    first, second, other = several(run), several(run), several(secrets.token_hex(8))

    def wait():
        second.take(alone=True)
        order.append("alone")

    first.take(alone=False)
    thread = threading.Thread(target=wait)
    thread.start()
    other.take(alone=True)
    assert order == []  # Another run has a machine of its own.
    order.append("together")
    first.leave()
    thread.join(5)

    assert order == ["together", "alone"]


def test_several_may_run_together(several):
    run = secrets.token_hex(8)
    for turns in (several(run), several(run)):
        turns.take(alone=False)


def test_who_stays_alone_keeps_its_turn(several):
    run, order = secrets.token_hex(8), []
    first, second = several(run), several(run)

    def wait():
        second.take(alone=False)
        order.append("together")

    first.take(alone=True)
    thread = threading.Thread(target=wait)
    thread.start()
    first.take(alone=True)
    order.append("alone again")
    first.leave()
    thread.join(5)

    assert order == ["alone again", "together"]


def test_those_of_a_file_that_are_alone_follow_one_another():
    names = ["b1", "b2", "a1", "a2", "b3"]
    items = [Item(Path(name[0]), name, is_alone=name in {"b2", "a2"}) for name in names]
    put_alone_first(items)

    assert [item.name for item in items] == ["b2", "b1", "b3", "a2", "a1"]


def test_who_is_alone_is_known_by_name_as_by_mark(request):
    """In a whole run these are all tests."""
    tests = request.session.items
    by_mark = {item.nodeid for item in tests if is_alone(item)}
    assert {item.nodeid for item in tests if is_alone_by_name(item.nodeid)} == by_mark

    overload = "tests/stores/test_overload.py::test_of_any_name[x]"
    cluster = "tests/stores/test_redis_cluster.py::"
    assert is_alone_by_name(overload)
    assert is_alone_by_name(f"{cluster}test_a_store_follows_a_slot_that_moves")
    assert not is_alone_by_name(f"{cluster}test_a_store_follows")
    assert not is_alone_by_name("tests/test_turns.py::test_several_may_run_together")


@pytest.mark.parametrize("folder", SHARED)
def test_a_folder_that_shares_what_it_starts_is_there(folder):
    assert (ROOT / folder / "conftest.py").is_file()
    parts = {
        name.partition(" ")[2] for name in LONGEST if name.startswith(f"{folder} ")
    }
    assert parts == {str(part) for part in range(SHARED[folder])}
