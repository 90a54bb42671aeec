"""Faults under load, one after the other; select with ``-m slow``.

``LOAD_FAULTS`` names some of them, with semicolons. Each line of the table says what
the documentation allows while the fault lasts and until all is as before: ``503`` with
Retry-After, answers that are ``lost``, sessions that are ``forgotten``. Everything else
is a wrong, and so is a rate that does not come back by itself.
"""

from __future__ import annotations

import asyncio
import os
from dataclasses import dataclass
from typing import Any

import pytest

from tests.load import befalling as it
from tests.load import befalling_redis as redis
from tests.load.run import keep_fault, recovered, running, size_of

pytestmark = [pytest.mark.slow, pytest.mark.anyio, pytest.mark.timeout(1800)]

SIZE = size_of(users=200, rate=40, seconds=6)
# Seconds: that log-outs are looked back at, and sockets are over.
SETTLED = 8.0


@dataclass(frozen=True, slots=True)
class Fault:
    """A line of the table.

    Attributes:
        name: Of the fault.
        befall: Makes it happen.
        seconds: How long it lasts.
        allowed: What it may lead to.
    """

    name: str
    befall: Any
    seconds: float
    allowed: str


WORKERS = [
    Fault("a worker killed", it.worker_killed, 5, "lost"),
    Fault("a worker stopped, 20 s", it.worker_stopped, 20, "lost 503"),
    Fault("a rolling restart", it.rolling_restart, 0, "lost"),
]
NETWORK = [
    Fault("cut off, 10 s", it.cut_off, 10, "503"),
    Fault("stalled, 10 s", it.stalled, 10, "503"),
    Fault("answers torn off, 10 s", it.answers_torn_off, 10, "503"),
]
FAULTS = {
    "sqlite": [
        *WORKERS,
        Fault("locked, 10 s", it.file_locked, 10, "503"),
        Fault("locked, 40 s", it.file_locked, 40, "503"),
        Fault("read-only, 10 s", it.file_read_only, 10, "lost 503"),
        Fault("disk full, 10 s", it.disk_full, 10, "503"),
    ],
    "postgres": [
        *WORKERS,
        *NETWORK,
        Fault("killed and started, 5 s", it.postgres_restarted, 5, "503"),
        Fault("paused, 10 s", it.postgres_paused, 10, "503"),
        Fault("frozen, 40 s", it.postgres_paused, 40, "503"),
        Fault("tables locked, 10 s", it.tables_locked, 10, "503"),
        Fault("read-only, 10 s", it.postgres_read_only, 10, "503"),
        Fault("no connections left, 10 s", it.no_connections, 10, "503"),
        Fault("disk full, 10 s", it.postgres_disk_full, 10, "503"),
    ],
    "redis": [
        *WORKERS,
        *NETWORK,
        Fault("killed, back with its files", redis.redis_restarted, 5, "503"),
        Fault("paused, 10 s", redis.redis_paused, 10, "503"),
        Fault("frozen, 40 s", redis.redis_paused, 40, "503"),
        Fault("read-only, 10 s", redis.redis_read_only, 10, "503"),
        Fault("no connections left, 10 s", redis.redis_without_connections, 10, "503"),
        Fault("memory full, 10 s", redis.redis_full, 10, "503"),
        Fault("killed, back with a snapshot", redis.redis_put_back, 5, "503 forgotten"),
        Fault("killed, back empty", redis.redis_restarted_empty, 5, "503 forgotten"),
    ],
    "cluster": [
        *WORKERS,
        *NETWORK,
        Fault("a node paused, 10 s", redis.node_paused, 10, "503"),
        Fault("a node frozen, 40 s", redis.node_paused, 40, "503"),
        Fault("frozen, 40 s", redis.cluster_paused, 40, "503"),
        Fault("killed, back with its files", redis.cluster_restarted, 5, "503"),
        Fault("a node killed, back empty", redis.node_killed, 5, "503 forgotten"),
    ],
}


@pytest.fixture
def anyio_backend():
    return ("asyncio", {"use_uvloop": True})


def chosen(kind):
    names = os.environ.get("LOAD_FAULTS")
    return [f for f in FAULTS[kind] if names is None or f.name in names.split(";")]


@pytest.mark.parametrize("kind", [*FAULTS])
async def test_a_fault_costs_what_is_documented(kind, tmp_path):
    wrongs = []
    async with running(kind, SIZE, tmp_path, is_proxied=True) as run:
        ledger = run.ledger
        await asyncio.sleep(SIZE.seconds)
        for fault in chosen(kind):
            before = ledger.turn_page()
            ledger.allowed = frozenset(fault.allowed.split())
            async with fault.befall(run):
                await asyncio.sleep(fault.seconds)

            took = await recovered(ledger, before, patience=60)
            await asyncio.sleep(SETTLED)
            ledger.clear_up()
            await asyncio.sleep(SIZE.seconds)
            wrongs += [f"{fault.name}: {text}" for text in ledger.wrongs]
            keep_fault(f"{kind}, {fault.name}", run, fault, took)

        ledger.turn_page()
    assert wrongs + run.ledger.wrongs == []
