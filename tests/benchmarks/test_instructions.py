"""The hot paths do not grow: what they execute is counted, not timed.

A path that has to grow, or has become shorter, gets the new numbers of
``python -m benchmarks instructions`` here, on purpose.
"""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent

# Calls and instructions within asgi_auth for one request, with Python 3.13.
COUNTS = {
    "hit": (5, 494),
    "miss": (18, 1281),
    "miss, cache off": (19, 1216),
    "forged": (18, 736),
    "none": (4, 339),
    "websocket hit": (22, 935),
    "stream hit": (31, 1123),
}
# Before 3.12, a comprehension is a call, and a call is two instructions.
SLACK = 1.15 if sys.version_info >= (3, 12) else 1.3


@pytest.fixture
def counting(monkeypatch):
    """The counter lives with the benchmarks, which are not installed."""
    monkeypatch.syspath_prepend(ROOT)
    return import_module("benchmarks.instructions")


def test_every_path_is_counted(counting):
    assert set(counting.PATHS) == set(COUNTS)


@pytest.mark.parametrize("path", COUNTS)
def test_path_stays_short(counting, path):
    calls, instructions = COUNTS[path]
    counts = counting.count_path(path)
    assert counts.calls.total() <= calls * SLACK, counts.calls
    assert counts.instructions.total() <= instructions * SLACK, counts.instructions


@pytest.mark.parametrize("path", COUNTS)
def test_number_is_not_out_of_date(counting, path):
    """A bound far above what is executed would guard nothing."""
    _, instructions = COUNTS[path]
    now = counting.count_path(path).instructions.total()
    assert now * 1.3 >= instructions, f"{path} is shorter now, {now}: write it down"


def test_counts_do_not_depend_on_the_run(counting):
    first, second = (counting.count_path("hit") for _ in range(2))
    assert first.instructions == second.instructions
    assert first.calls == second.calls


def test_a_longer_path_is_noticed(counting):
    hit, miss = (counting.count_path(path) for path in ("hit", "miss"))
    assert hit.instructions.total() < miss.instructions.total()
    assert hit.calls["tokens/codec: Codec.open"] == 0
    assert miss.calls["tokens/codec: Codec.open"] == 1


@pytest.mark.skipif(
    sys.version_info < (3, 12), reason="platform: sys.monitoring came with Python 3.12"
)
def test_both_ways_of_counting_agree_on_calls(counting, monkeypatch):
    monitored = counting.count_path("hit")
    monkeypatch.setattr(counting, "_monitored", counting._traced)
    assert counting.count_path("hit").calls == monitored.calls
