"""Which tests run first, and which of them one process runs in a row."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.order import LONGEST, SHARED, in_units

ROOT = Path(__file__).parent.parent


@dataclass
class Item:
    nodeid: str


def names_of(*nodeids: str) -> list[list[str]]:
    units = in_units(Item(nodeid) for nodeid in nodeids)
    return [[item.nodeid for item in unit] for unit in units]


def test_the_tests_of_a_file_stay_together_in_their_order():
    assert names_of("tests/a.py::two", "tests/b.py::one", "tests/a.py::one") == [
        ["tests/a.py::two", "tests/a.py::one"],
        ["tests/b.py::one"],
    ]


def test_what_takes_longest_begins_and_then_what_is_most():
    longest, second = LONGEST[4:6]
    few, most = ["tests/a.py::a"], ["tests/b.py::a", "tests/b.py::b"]
    given = [*few, *most, f"{second}::a", f"{longest}::a"]
    assert names_of(*given) == [[f"{longest}::a"], [f"{second}::a"], most, few]


def test_files_of_a_folder_that_shares_what_it_starts_may_follow_one_another():
    (unit,) = names_of("tests/servers/test_a.py::a", "tests/servers/test_b.py::b")
    assert len(unit) == 2


@pytest.mark.parametrize("folder", SHARED)
def test_a_folder_that_shares_what_it_starts_is_there(folder):
    assert (ROOT / folder / "conftest.py").is_file()
    parts = {
        name.partition(" ")[2] for name in LONGEST if name.startswith(f"{folder} ")
    }
    assert parts == {str(part) for part in range(SHARED[folder])}


@pytest.mark.parametrize("name", LONGEST)
def test_what_takes_longest_is_there(name):
    assert (ROOT / name.partition(" ")[0]).exists()
