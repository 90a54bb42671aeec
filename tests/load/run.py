"""A load run: a crowd on four workers, and what is kept of it."""

from __future__ import annotations

import asyncio
import json
import os
import time
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field

from tests.load.crowd import Pace, User
from tests.load.ledger import Ledger, starves
from tests.load.servers import proxied, store_of
from tests.load.wire import Wire
from tests.load.workers import ROOT, faults_of, logged, serving

RESULTS = ROOT / "benchmarks" / "results" / "load.json"


@dataclass(frozen=True, slots=True)
class Size:
    """How large a run is.

    Attributes:
        users: How many.
        rate: Things that they do in a second.
        seconds: For how long.
        workers: How many serve them.
    """

    users: int
    rate: float
    seconds: float
    workers: int = 4


def size_of(users, rate, seconds):
    """Return what the environment says, or else this."""
    say = os.environ.get
    return Size(
        int(say("LOAD_USERS", users)),
        float(say("LOAD_RATE", rate)),
        float(say("LOAD_SECONDS", seconds)),
    )


@dataclass
class Run:
    """What is under way.

    Attributes:
        server: The store's, or ``None``.
        proxy: Before the store, or ``None``.
        ports: Of the workers that are in service.
        pace: How much the users do.
    """

    kind: str
    size: Size
    folder: object
    server: object
    proxy: object
    workers: list
    ledger: Ledger
    ports: list
    pace: Pace
    began: float = field(default_factory=time.monotonic)
    lasted: float = 0.0


@asynccontextmanager
async def running(kind, size, folder, *settings, is_proxied=False):
    """Have a crowd live on a store; its ledger is complete at the end.

    Args:
        settings: Of the store.
        is_proxied: The workers reach it through a proxy that can fail.
    """
    wire, ledger = Wire(), Ledger()
    options = {"count": size.workers, "is_cluster": kind == "cluster"}
    async with AsyncExitStack() as stack:
        url, server = stack.enter_context(store_of(kind, folder, *settings))
        proxy = None
        if is_proxied:
            url, proxy = await stack.enter_async_context(proxied(kind, url, server))

        async with serving(url, folder, wire, **options) as workers:
            # Shared by all users: who is out of service is taken out of this list.
            ports = [worker.port for worker in workers]
            pace = Pace(size.users / size.rate)
            users = [
                User(number, ports, wire, ledger, pace) for number in range(size.users)
            ]
            tasks = [asyncio.create_task(user.live()) for user in users]
            run = Run(kind, size, folder, server, proxy, workers, ledger, ports, pace)
            try:
                yield run
            finally:
                ledger.is_over = True
                async with asyncio.timeout(120):
                    await asyncio.gather(*tasks)

            run.lasted = time.monotonic() - run.began
            ledger.close()
            wire.close()
            lines = logged(workers)
            ledger.lines = lines
            for line in faults_of(lines):
                ledger.blame(f"in a log: {line}")


def keep(name, run, **facts):
    """Add a run without a fault to the results."""
    size, ledger = run.size, run.ledger
    answered = sum(
        count for what, count in ledger.answers.items() if what.startswith("/")
    )
    row = {"answers_a_second": round(answered / run.lasted, 1), **facts}
    _write(name, run, {"seconds": size.seconds, **row, **ledger.to_json()})


def keep_fault(name, run, fault, recovery):
    """Add a fault to the results."""
    row = {"fault": fault.name, "seconds": fault.seconds, "allowed": fault.allowed}
    _write(name, run, {**row, "recovery_s": recovery, **run.ledger.to_json()})


def _write(name, run, row):
    known = json.loads(RESULTS.read_text("utf-8")) if RESULTS.exists() else {}
    size = {"users": run.size.users, "rate": run.size.rate, "workers": run.size.workers}
    known[name] = {"store": run.kind, **size, **row}
    RESULTS.write_text(json.dumps(known, indent=1) + "\n", "utf-8")


async def recovered(ledger, before, *, patience):
    """Wait until the users are served as before; return the seconds it took."""
    began = time.monotonic()
    while ledger.rate(2) < before / 2:
        took = time.monotonic() - began
        if took > patience and not starves():
            ledger.blame(f"not served as before within {patience} s")
            break

        if took > 3 * patience:
            ledger.causes["not served as before by a machine that starves"] += 1
            break

        await asyncio.sleep(0.2)

    return round(time.monotonic() - began, 1)
