"""The hot paths do not grow: what they execute is counted, not timed.

A bound that is broken on purpose is raised on purpose, with the new count from
``python -m benchmarks instructions`` and 15 % on top; one that has become too wide is
lowered.
"""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent

# Calls and instructions within asgi_auth for one request.
BOUNDS = {
    "hit": (13, 660),
    "miss": (52, 1930),
    "miss, cache off": (47, 1800),
    "forged": (41, 1340),
    "none": (6, 400),
    "websocket hit": (24, 820),
}
LONGEST = 1.35
"""How far below its bound a count may lie before the bound guards nothing."""


@pytest.fixture
def counting(monkeypatch):
    """The counter lives with the benchmarks, which are not installed."""
    monkeypatch.syspath_prepend(ROOT)
    return import_module("benchmarks.instructions")


def test_every_path_has_a_bound(counting):
    assert set(counting.PATHS) == set(BOUNDS)


@pytest.mark.parametrize("path", BOUNDS)
def test_path_stays_short(counting, path):
    calls, instructions = BOUNDS[path]
    counts = counting.count_path(path)
    assert 0 < counts.calls.total() <= calls, counts.calls
    assert 0 < counts.instructions.total() <= instructions, counts.instructions


@pytest.mark.parametrize("path", BOUNDS)
def test_bound_is_tight(counting, path):
    _, instructions = BOUNDS[path]
    assert instructions <= LONGEST * counting.count_path(path).instructions.total()


def test_counts_do_not_depend_on_the_run(counting):
    first, second = (counting.count_path("hit") for _ in range(2))
    assert first.instructions == second.instructions
    assert first.calls == second.calls


def test_a_longer_path_is_noticed(counting):
    """Two requests count as much as two, so a count is not blind."""
    hit, miss = (counting.count_path(path) for path in ("hit", "miss"))
    assert hit.instructions.total() < miss.instructions.total()
    assert hit.calls["tokens/codec: Codec.decode"] == 0
    assert miss.calls["tokens/codec: Codec.decode"] == 1


@pytest.mark.skipif(
    sys.version_info < (3, 12), reason="platform: sys.monitoring came with Python 3.12"
)
def test_both_ways_of_counting_agree_on_calls(counting, monkeypatch):
    monitored = counting.count_path("hit")
    monkeypatch.setattr(counting, "_monitored", counting._traced)
    assert counting.count_path("hit").calls == monitored.calls
