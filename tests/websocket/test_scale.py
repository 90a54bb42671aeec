"""Many sockets at once, on a real server: the numbers that the benchmark promises."""

from __future__ import annotations

import pytest

from benchmarks.websocket import (
    allowed,
    guard_overhead,
    hall,
    punctuality,
    stalled,
)

pytestmark = pytest.mark.alone


@pytest.mark.slow
async def test_a_lifetime_costs_next_to_nothing_for_each_message():
    assert await guard_overhead(3) < 1.0


async def test_a_few_hundred_sockets_are_served_and_small():
    measured = await hall(200, 3)

    # So few are told apart from noise only roughly; thousands are measured below.
    assert measured["our KiB"] < 100


async def test_sockets_are_closed_when_their_token_ends():
    late = await punctuality(100)

    assert late["early"] == 0
    assert late["first ms"] >= -1
    assert late["median ms"] < 100


async def test_a_client_that_does_not_read_delays_nobody():
    measured = await stalled(60, times=20)

    assert measured["one stalls s"] < 2 * measured["all read s"] + 0.2


@pytest.mark.slow
@pytest.mark.timeout(600)
async def test_five_thousand_sockets():
    count = allowed(10_000) // 2
    measured = await hall(count, 10)

    assert measured["our KiB"] <= 25
    assert measured["ratio"] <= 1.5


@pytest.mark.slow
@pytest.mark.timeout(600)
async def test_one_stalled_member_of_a_thousand():
    measured = await stalled(1000)

    assert measured["one stalls s"] <= 1.15 * measured["all read s"]
