"""Time things side by side: interleaved rounds, and the minimum of each.

A busy machine slows everybody down, but never speeds anybody up. So each round times
one short batch of every probe, and each probe keeps its best batch. What is printed
are ratios between probes of one run; microseconds of two runs are not comparable.
"""

from __future__ import annotations

import asyncio
import gc
import statistics
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any

__all__ = ["Probe", "interleave", "of_function"]

_BATCH_SECONDS = 0.003
_LONGEST_BATCH = 2000


@dataclass
class Probe:
    """One thing to time.

    Attributes:
        name: What identifies it in the results.
        run: Handles all the items of a batch, one after the other.
        items: Makes the inputs of a batch of this size, outside of the timing.
        batch: Calls in a batch; found by :func:`interleave`.
        seconds: Seconds per call, one of each round.
    """

    name: tuple[str, ...]
    run: Callable[[Sequence[Any]], Awaitable[None]]
    items: Callable[[int], Sequence[Any]] = range
    batch: int = 0
    seconds: list[float] = field(default_factory=list)

    @property
    def best(self) -> float:
        """The least microseconds per call."""
        return min(self.seconds) * 1e6

    @property
    def median(self) -> float:
        """The median of the microseconds per call."""
        return statistics.median(self.seconds) * 1e6

    async def time(self, count: int) -> float:
        """Return the seconds that a batch of *count* calls takes."""
        items = self.items(count)
        start = perf_counter()
        await self.run(items)
        return perf_counter() - start

    async def calibrate(self) -> None:
        """Find how many calls make a batch: long enough to time, short enough to be
        undisturbed sometimes.
        """
        count, each = 1, 1.0
        while count < _LONGEST_BATCH:
            # The best of three: one disturbance must not make all batches tiny.
            each = min([await self.time(count) for _ in range(3)]) / count
            if each * count > _BATCH_SECONDS / 3:
                break

            count *= 2

        wanted = int(_BATCH_SECONDS / max(each, 1e-9))
        self.batch = max(1, min(wanted, _LONGEST_BATCH))


def of_function(name: tuple[str, ...], call: Callable[[Any], Any], item: Any) -> Probe:
    """Make a probe of a plain function that gets *item* each time."""

    async def run(items: Sequence[Any]) -> None:
        for one in items:
            call(one)

    return Probe(name, run, lambda count: [item] * count)


async def interleave(probes: Iterable[Probe], rounds: int) -> None:
    """Time every probe once in each of the *rounds*.

    The garbage collector rests within a round: it would hit whoever happens to run.
    """
    probes = list(probes)
    for probe in probes:
        await probe.calibrate()

    gc.collect()
    gc.freeze()
    gc.disable()
    try:
        for _ in range(rounds):
            for probe in probes:
                probe.seconds.append(await probe.time(probe.batch) / probe.batch)
                await asyncio.sleep(0)

            gc.collect()
    finally:
        gc.enable()
        gc.unfreeze()
