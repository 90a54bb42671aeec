"""What 16 log-ins at once do to everybody else on the event loop.

A ticker notes how late it wakes up while the log-ins run: once with the hasher, once
with the same context called on the event loop. Two empty runs give the noise.

    python benchmarks/bench_passwords.py [--json]
"""

from __future__ import annotations

import argparse
import asyncio
import json
import time
from collections.abc import Awaitable, Callable

from passlib.context import CryptContext

from asgi_auth.passwords import PasswordHasher

PASSWORD = "correct horse battery"
LOG_INS = 16
TICK = 0.001

CONTEXT = CryptContext(
    schemes=["argon2"],
    argon2__memory_cost=64 * 1024,
    argon2__time_cost=3,
    argon2__parallelism=4,
)


async def delays(work: Callable[[], Awaitable[object]]) -> tuple[list[float], float]:
    """Run the work; return how late the ticker was, and how long it all took."""
    late: list[float] = []
    ready = asyncio.Event()

    async def tick() -> None:
        while True:
            due = time.perf_counter() + TICK
            ready.set()
            await asyncio.sleep(TICK)
            late.append(time.perf_counter() - due)

    ticker = asyncio.create_task(tick())
    await ready.wait()
    begin = time.perf_counter()
    await work()
    took = time.perf_counter() - begin
    # One more round: after work that never yields, the ticker has yet to wake up.
    await asyncio.sleep(2 * TICK)
    ticker.cancel()
    return late, took


def p99(values: list[float]) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * 0.99))]


async def measure(rounds: int) -> dict[str, float]:
    hasher = PasswordHasher(context=CONTEXT)
    stored = await hasher.hash(PASSWORD)

    async def ours() -> None:
        jobs = (hasher.verify(PASSWORD, stored) for _ in range(LOG_INS))
        await asyncio.gather(*jobs)

    async def one_inline() -> None:
        CONTEXT.verify(PASSWORD, stored)

    async def inline() -> None:
        await asyncio.gather(*(one_inline() for _ in range(LOG_INS)))

    async def idle() -> None:
        await asyncio.sleep(0.5)

    await ours()  # Threads and backends are there from now on.
    late: dict[str, list[float]] = {"ours": [], "inline": [], "idle": []}
    took: dict[str, list[float]] = {"ours": [], "inline": [], "idle": []}
    for _ in range(rounds):
        for name, work in (("idle", idle), ("ours", ours), ("inline", inline)):
            found, seconds = await delays(work)
            late[name] += found
            took[name].append(seconds)

    result = {f"{name}_p99_ms": p99(values) * 1000 for name, values in late.items()}
    result |= {f"{name}_max_ms": max(values) * 1000 for name, values in late.items()}
    result |= {
        f"{name}_all_ms": min(values) * 1000
        for name, values in took.items()
        if name != "idle"
    }
    result["ratio"] = result["inline_p99_ms"] / result["ours_p99_ms"]
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    result = asyncio.run(measure(options.rounds))
    if options.json:
        print(json.dumps({name: round(value, 3) for name, value in result.items()}))
        return

    print(f"{LOG_INS} log-ins at once, argon2id 64 MiB, t=3, p=4")
    for name in ("idle", "ours", "inline"):
        late, most = result[f"{name}_p99_ms"], result[f"{name}_max_ms"]
        print(f"{name:>8}: loop delay p99 {late:9.2f} ms, max {most:9.2f} ms")
    print(f"all 16: ours {result['ours_all_ms']:.0f} ms, ", end="")
    print(f"inline {result['inline_all_ms']:.0f} ms")
    print(f"p99 of inline / p99 of ours: {result['ratio']:.0f}")


if __name__ == "__main__":
    main()
