"""What can befall workers and stores: each is a context, and is mended at its end."""

from __future__ import annotations

import asyncio
import sqlite3
import subprocess
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path

import asyncpg
import psutil

from tests.load.wire import Wire
from tests.load.workers import until_up
from tests.postgres import kill_postgres

# ------------------------------------------------------------------------- workers


@asynccontextmanager
async def worker_killed(run):
    """One dies, is taken out of service, and comes back."""
    worker = run.workers[0]
    await asyncio.to_thread(worker.kill)
    run.ports.remove(worker.port)
    yield
    await _bring_back(run, worker)


@asynccontextmanager
async def worker_stopped(run):
    """One gets no time, and stays in service: requests wait in it."""
    run.workers[1].stop()
    try:
        yield
    finally:
        run.workers[1].go_on()


@asynccontextmanager
async def rolling_restart(run):
    """All are restarted one after the other, with sockets open."""
    await _restart(run, run.workers)
    yield


async def _restart(run, workers, *, has_rights=True):
    for worker in workers:
        run.ports.remove(worker.port)
        await asyncio.to_thread(worker.end)
        await _bring_back(run, worker, has_rights=has_rights)


async def _bring_back(run, worker, *, has_rights=True):
    worker.start(has_rights=has_rights)
    wire = Wire()
    await until_up(wire, worker)
    wire.close()
    run.ports.append(worker.port)


# ------------------------------------------------------------------------- the network

# Bytes of answers after which a connection is cut, and seconds until the next one is.
_PIECE, _PAUSE = 200, 0.05


@asynccontextmanager
async def cut_off(run):
    """Each connection to the store is reset, and so is each new one."""
    await run.proxy.reset()
    yield
    await run.proxy.pass_on()


@asynccontextmanager
async def stalled(run):
    """All is sent to the store, and nothing arrives."""
    await run.proxy.stall()
    yield
    await run.proxy.pass_on()


@asynccontextmanager
async def answers_torn_off(run):
    """What is asked is done, and many an answer never arrives."""
    tearing = asyncio.create_task(_tear(run.proxy))
    yield
    tearing.cancel()
    await run.proxy.pass_on()


async def _tear(proxy):
    while True:
        await proxy.cut(_PIECE)
        await asyncio.sleep(_PAUSE)


# ------------------------------------------------------------------------- SQLite


@asynccontextmanager
async def file_locked(run):
    """Another process has the file for itself."""
    path = run.folder / "load.db"
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    connection.execute("PRAGMA busy_timeout = 20000")
    await asyncio.to_thread(connection.execute, "BEGIN EXCLUSIVE")
    yield
    connection.execute("ROLLBACK")
    connection.close()


@asynccontextmanager
async def file_read_only(run):
    """Its rights are taken away, and half of the workers open it anew.

    The others have it open, and go on: rights are looked at when a file is opened.
    """
    files = [run.folder, *run.folder.glob("load.db*")]
    modes = {path: path.stat().st_mode for path in files}
    for path in files:
        path.chmod(modes[path] & 0o555)

    await _restart(run, run.workers[:2], has_rights=False)
    yield
    for path, mode in modes.items():
        path.chmod(mode)


@asynccontextmanager
async def disk_full(run):
    """No worker can write to its files any more."""
    with _limited([worker.process.pid for worker in run.workers], 1):
        yield


@contextmanager
def _limited(processes, size):
    for pid in processes:
        _limit(pid, size)

    yield
    for pid in processes:
        _limit(pid, "unlimited")


def _limit(pid, size):
    # PostgreSQL runs as another user, whose limits root itself may not change here.
    with suppress(FileNotFoundError):
        user = Path("/proc", str(pid)).stat().st_uid
        command = ["prlimit", "--pid", str(pid), f"--fsize={size}:"]
        subprocess.run(command, user=user, check=False, capture_output=True)


# ------------------------------------------------------------------------- PostgreSQL


def _processes(server):
    process = server.get_postmaster_info().process
    return [process, *process.children(recursive=True)]


@asynccontextmanager
async def postgres_restarted(run):
    """It is killed with all that serves its clients, and started with its files."""
    await asyncio.to_thread(kill_postgres, run.server)
    yield
    await asyncio.to_thread(run.server.ensure_postgres_running)


@asynccontextmanager
async def postgres_paused(run):
    """It gets no time, with all that serves its clients."""
    processes = _processes(run.server)
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            process.suspend()

    yield
    for process in reversed(processes):
        with suppress(psutil.NoSuchProcess):
            process.resume()


@asynccontextmanager
async def tables_locked(run):
    """A migration holds all tables."""
    async with _admin(run) as admin:
        names = await admin.fetch(
            "SELECT format('%I.%I', schemaname, tablename) AS name FROM pg_tables "
            "WHERE schemaname NOT IN ('pg_catalog', 'information_schema')"
        )
        async with admin.transaction():
            listed = ", ".join(row["name"] for row in names)
            await admin.execute(f"LOCK TABLE {listed} IN ACCESS EXCLUSIVE MODE")
            yield


@asynccontextmanager
async def postgres_read_only(run):
    """It takes no writes, as a standby does."""
    async with _admin(run) as admin:
        await _set(admin, "default_transaction_read_only", "on")
        yield
        await admin.execute("SET default_transaction_read_only = off")
        await _set(admin, "default_transaction_read_only", "off")


async def _set(admin, name, value):
    await admin.execute(f"ALTER SYSTEM SET {name} = {value}")
    await admin.execute("SELECT pg_reload_conf()")


@asynccontextmanager
async def no_connections(run):
    """Others have taken all connections there are."""
    async with _admin(run) as admin:
        taken = []
        for _ in range(3):
            with suppress(asyncpg.TooManyConnectionsError):
                while True:
                    taken.append(await asyncpg.connect(run.server.get_uri()))

            mine = [connection.get_server_pid() for connection in taken]
            await admin.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE backend_type = 'client backend' "
                "AND pid <> pg_backend_pid() AND pid <> ALL($1)",
                mine,
            )

        yield
        for connection in taken:
            await connection.close()


@asynccontextmanager
async def postgres_disk_full(run):
    """It cannot make its files larger; without its log it dies, as it has to."""
    limit = 256 << 10
    with _limited([process.pid for process in _processes(run.server)], limit):
        yield

    # Where it died of it, somebody starts it again.
    await asyncio.to_thread(_start_again, run.server)


def _start_again(server):
    with suppress(Exception):
        kill_postgres(server)

    server.ensure_postgres_running()


@asynccontextmanager
async def _admin(run):
    connection = await asyncpg.connect(run.server.get_uri())
    try:
        yield connection
    finally:
        await connection.close()
