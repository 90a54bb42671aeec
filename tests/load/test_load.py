"""Two thousand users against four workers for three minutes; select with ``-m slow``.

``LOAD_USERS``, ``LOAD_SECONDS`` and ``LOAD_RATE`` say how many, for how long, and how
much they do in a second. What happened is kept in ``benchmarks/results/load.json``.
"""

from __future__ import annotations

import asyncio

import pytest

from tests.load.run import keep, recovered, running, size_of

pytestmark = [pytest.mark.slow, pytest.mark.anyio, pytest.mark.timeout(1200)]

# Things done in a second, each of which is one to five requests: what two cores bear.
RATE = 150
KINDS = ("sqlite", "postgres", "redis", "cluster")

# What is usual before an overload and after it, as a share of that, and how many times
# that is done meanwhile. With a full load nothing is left to catch up with.
OVERLOADS = {"overload": (0.5, 20), "overload of a full load": (1.0, 10)}
OVERLOADED = frozenset({"503", "lost"})


@pytest.fixture
def anyio_backend():
    return ("asyncio", {"use_uvloop": True})


@pytest.mark.parametrize("kind", KINDS)
async def test_nobody_is_wronged_under_load(kind, tmp_path):
    size = size_of(users=2000, rate=RATE, seconds=180)
    async with running(kind, size, tmp_path) as run:
        await asyncio.sleep(size.seconds)

    keep(f"{kind}, no fault", run)
    assert run.ledger.wrongs == []
    assert run.ledger.answers["/me 200"] > 0


@pytest.mark.parametrize("name", OVERLOADS)
@pytest.mark.parametrize("kind", KINDS)
async def test_the_rate_comes_back_by_itself_after_an_overload(kind, name, tmp_path):
    share, times = OVERLOADS[name]
    size = size_of(users=1000, rate=RATE * share, seconds=30)
    async with running(kind, size, tmp_path) as run:
        await asyncio.sleep(25)
        before = run.ledger.turn_page()
        usual, run.pace.pause = run.pace.pause, run.pace.pause / times
        run.ledger.allowed = OVERLOADED
        await asyncio.sleep(size.seconds)

        run.pace.pause = usual
        took = await recovered(run.ledger, before, patience=60)
        await asyncio.sleep(15)
        # From here on a 503 is a wrong: the overload is over.
        run.ledger.clear_up()
        await asyncio.sleep(15)
        after = run.ledger.rate(5)
    keep(
        f"{kind}, {name}",
        run,
        times=times,
        recovery_s=took,
        before=before,
        after=after,
    )
    assert run.ledger.wrongs == []
