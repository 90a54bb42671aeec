"""What can befall Redis, and a node of a cluster: each is mended at its end."""

from __future__ import annotations

import asyncio
import time
from contextlib import asynccontextmanager

import redis.asyncio


@asynccontextmanager
async def redis_restarted(run):
    """It is killed, and started with its files."""
    await asyncio.to_thread(run.server.kill)
    yield
    await asyncio.to_thread(run.server.start)


@asynccontextmanager
async def redis_put_back(run):
    """It is killed, and comes back as it was 5 seconds before."""
    async with _redis(run) as admin:
        await admin.config_set("appendonly", "no")
        await admin.config_rewrite()
        run.ledger.kept_at = time.monotonic()
        await admin.save()

    await asyncio.sleep(5)
    await asyncio.to_thread(run.server.kill)
    yield
    await asyncio.to_thread(run.server.start)


@asynccontextmanager
async def redis_restarted_empty(run):
    """It is killed, and its files are gone."""
    await asyncio.to_thread(run.server.kill)
    for path in run.server.folder.rglob("*"):
        if path.is_file() and path.suffix != ".conf":
            path.unlink()

    yield
    await asyncio.to_thread(run.server.start)


@asynccontextmanager
async def redis_paused(run):
    """It gets no time; new connections are made, and not served."""
    run.server.pause()
    yield
    run.server.resume()


@asynccontextmanager
async def redis_read_only(run):
    """It is a replica whose primary is gone."""
    async with _redis(run) as admin:
        await admin.execute_command("REPLICAOF", "127.0.0.1", "1")
        yield
        await admin.execute_command("REPLICAOF", "NO", "ONE")


@asynccontextmanager
async def redis_full(run):
    """Its memory is full, and it throws nothing away."""
    async with _redis(run) as admin:
        await admin.config_set("maxmemory", "1")
        yield
        await admin.config_set("maxmemory", "0")


@asynccontextmanager
async def redis_without_connections(run):
    """Others have taken all connections there are."""
    async with _redis(run) as admin:
        await admin.config_set("maxclients", "1")
        await admin.execute_command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
        await admin.execute_command("CLIENT", "KILL", "TYPE", "pubsub", "SKIPME", "yes")
        yield
        await admin.config_set("maxclients", "10000")


@asynccontextmanager
async def _redis(run):
    client = redis.asyncio.Redis(port=run.server.port)
    try:
        # The one connection, which it keeps.
        await client.ping()
        yield client
    finally:
        await client.aclose()


@asynccontextmanager
async def node_killed(run):
    """One of three nodes dies, and comes back empty."""
    node = run.server.servers[1]
    await asyncio.to_thread(node.kill)
    yield
    await asyncio.to_thread(node.start)
    await asyncio.to_thread(run.server.wait_until_ok)


@asynccontextmanager
async def node_paused(run):
    """One of three nodes gets no time."""
    node = run.server.servers[2]
    node.pause()
    yield
    node.resume()


@asynccontextmanager
async def cluster_paused(run):
    """No node gets any time."""
    for node in run.server.servers:
        node.pause()

    yield
    for node in run.server.servers:
        node.resume()


@asynccontextmanager
async def cluster_restarted(run):
    """All nodes are killed, and started with their files."""
    for node in run.server.servers:
        await asyncio.to_thread(node.keep_files)

    for node in run.server.servers:
        await asyncio.to_thread(node.kill)

    yield
    for node in run.server.servers:
        await asyncio.to_thread(node.start)

    await asyncio.to_thread(run.server.wait_until_ok)
