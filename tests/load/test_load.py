"""Many users against four workers, for minutes, with faults; select with ``-m slow``.

``LOAD_USERS``, ``LOAD_SECONDS`` and ``LOAD_RATE`` say how many, for how long, and how
much they do in a second. What happened is written to ``benchmarks/results/load.json``.
"""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import httpx
import pytest

from tests.load.crowd import Ledger, User
from tests.postgres import start_postgres, stop_postgres
from tests.stores.redis_server import redis_server

pytestmark = [pytest.mark.slow, pytest.mark.anyio, pytest.mark.timeout(1200)]

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "benchmarks" / "results" / "load.json"
USERS = int(os.environ.get("LOAD_USERS", "2000"))
SECONDS = float(os.environ.get("LOAD_SECONDS", "180"))
WORKERS = 4
# So many things are done in a second: what two cores can bear that do nothing else.
PAUSE = USERS / float(os.environ.get("LOAD_RATE", "150"))
ALWAYS = ("save ''", "appendonly yes", "appendfsync always")


@pytest.fixture
def anyio_backend():
    return "asyncio"


class Worker:
    """One uvicorn process, which can be killed, stopped and started."""

    def __init__(self, url, secret):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.address = f"http://127.0.0.1:{self.port}"
        self._variables = {"LOAD_STORE": url, "LOAD_SECRET": secret}
        self.process = None

    def start(self):
        command = [sys.executable, "-m", "uvicorn", "tests.load.application:app"]
        options = ["--port", str(self.port), "--log-level", "warning"]
        # A client must not send on a connection that is just being closed.
        options += ["--timeout-keep-alive", "600"]
        self.process = subprocess.Popen(
            [*command, *options],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT), **self._variables},
        )

    def kill(self):
        self.process.send_signal(signal.SIGCONT)
        self.process.kill()
        self.process.wait()


@contextmanager
def store_of(kind, folder):
    """Yield the URL, and what pauses and what continues the server."""
    if kind == "sqlite":
        yield f"sqlite:///{folder}/load.db", None
    elif kind == "redis":
        with redis_server(*ALWAYS) as server:
            yield server.url, server
    else:
        server = start_postgres()
        yield server.get_uri(), None
        stop_postgres(server)


@asynccontextmanager
async def crowd_on(url):
    secret = secrets.token_urlsafe(48)
    workers = [Worker(url, secret) for _ in range(WORKERS)]
    for worker in workers:
        worker.start()
    ledger = Ledger()
    limits = httpx.Limits(max_connections=400, max_keepalive_connections=400)
    try:
        async with httpx.AsyncClient(limits=limits, timeout=10) as client:
            for worker in workers:
                await until_up(client, worker)
            addresses = [worker.address for worker in workers]
            users = [
                User(number, addresses, client, ledger, PAUSE)
                for number in range(USERS)
            ]
            tasks = [asyncio.create_task(user.live()) for user in users]
            yield workers, ledger
            ledger.over.set()
            async with asyncio.timeout(60):
                await asyncio.gather(*tasks)
    finally:
        for worker in workers:
            worker.kill()


async def until_up(client, worker):
    async with asyncio.timeout(60):
        while True:
            try:
                await client.post(worker.address + "/me")
            except httpx.HTTPError:
                await asyncio.sleep(0.1)
            else:
                return


def keep(name, ledger):
    """Add the run to the results."""
    known = json.loads(RESULTS.read_text("utf-8")) if RESULTS.exists() else {}
    known[name] = {
        "users": USERS,
        "seconds": SECONDS,
        "workers": WORKERS,
        "answers": dict(sorted(ledger.answers.items())),
        "faults": ledger.faults[:20],
    }
    RESULTS.write_text(json.dumps(known, indent=1) + "\n", "utf-8")


@pytest.mark.parametrize("kind", ["sqlite", "postgres", "redis"])
async def test_nobody_is_wronged_under_load(kind, tmp_path):
    with store_of(kind, tmp_path) as (url, _):
        async with crowd_on(url) as (_, ledger):
            await asyncio.sleep(SECONDS)
        keep(f"{kind}, no fault", ledger)
    assert ledger.faults == []
    assert ledger.answers["/me 200"] > 0


@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
async def test_a_worker_that_is_killed_and_one_that_stops_wrong_nobody(kind, tmp_path):
    with store_of(kind, tmp_path) as (url, _):
        async with crowd_on(url) as (workers, ledger):
            await asyncio.sleep(SECONDS / 4)
            ledger.faulty = True
            await asyncio.to_thread(workers[0].kill)
            workers[1].process.send_signal(signal.SIGSTOP)
            await asyncio.sleep(min(20, SECONDS / 4))
            workers[1].process.send_signal(signal.SIGCONT)
            workers[0].start()
            await asyncio.sleep(15)
            ledger.faulty = False
            await asyncio.sleep(SECONDS / 4)
        keep(f"{kind}, workers killed and stopped", ledger)
    assert ledger.faults == []


async def test_a_redis_that_freezes_and_is_killed_wrongs_nobody(tmp_path):
    with store_of("redis", tmp_path) as (url, server):
        async with crowd_on(url) as (_, ledger):
            await asyncio.sleep(SECONDS / 4)
            before = ledger.rate(5)
            for fault, mend in (
                (server.pause, server.resume),
                (server.kill, _start(server)),
            ):
                ledger.faulty = True
                await asyncio.to_thread(fault)
                await asyncio.sleep(10)
                await asyncio.to_thread(mend)
                began = time.monotonic()
                # By itself, as soon as the fault is over.
                async with asyncio.timeout(20):
                    while ledger.rate(2) < before / 2:
                        await asyncio.sleep(0.2)
                ledger.answers[f"recovered after {fault.__name__}, s"] = round(
                    time.monotonic() - began
                )
                await asyncio.sleep(12)
                ledger.faulty = False
                await asyncio.sleep(SECONDS / 8)
        keep("redis, frozen and killed", ledger)
    assert ledger.faults == []


def _start(server):
    return server.start
