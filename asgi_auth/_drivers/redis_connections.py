"""What is done with single connections to Redis, beside a client's calls.

It imports no driver: connections and clients are handed in.
"""

from __future__ import annotations

import asyncio
from typing import Any

from asgi_auth._drivers.redis_faults import word_of

__all__ = ["leave_replica", "read_stream"]


async def leave_replica(client: Any, error: Exception) -> None:
    """Close idle connections if *error* says that their server only reads.

    After a failover the name may lead elsewhere, and a connection stays where it was.
    In a cluster, and behind a Sentinel, redis-py follows by itself.

    Args:
        client: Of ``redis.asyncio``.
        error: What a call has raised: its connection is idle again.
    """
    pool = getattr(client, "connection_pool", None)
    if pool is not None and word_of(error) == "READONLY":
        await pool.disconnect(inuse_connections=False)


async def read_stream(
    connection: Any, key: str, entry_id: str, *, wait: float, patience: float
) -> None:
    """Block until the stream has something new; a failed connection is closed.

    Args:
        connection: Outside of any pool.
        key: Of the stream.
        entry_id: What is known of it.
        wait: Seconds that the server is to wait.
        patience: Seconds more after which it has failed.
    """
    block = ("BLOCK", max(1, round(wait * 1000)))
    try:
        async with asyncio.timeout(wait + patience):
            await connection.send_command("XREAD", *block, "STREAMS", key, entry_id)
            await connection.read_response(timeout=wait + 2 * patience)
    except BaseException:
        await connection.disconnect(nowait=True)
        raise
