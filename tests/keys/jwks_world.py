"""What the tests of JWK sets share."""

from __future__ import annotations

import asyncio
import json


async def settle(client):
    """Wait until nothing is under way in the background."""
    flight = await client._flights.get()
    if flight.task is not None:
        await asyncio.wait([flight.task])


def body(*keys) -> bytes:
    return json.dumps({"keys": keys}).encode()
