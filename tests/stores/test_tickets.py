"""However many use a ticket at once, in any process, one gets in."""

from __future__ import annotations

from contextlib import nullcontext

import pytest

from asgi_auth.stores.redis import RedisStore
from asgi_auth.stores.sql import SQLStore
from tests.races import raced
from tests.sessions.test_tickets import service, ticket_of
from tests.stores.valkey import valkey_server

pytestmark = pytest.mark.anyio

RACE = """
import asyncio
from tests.sessions.test_tickets import guarded, http_scope, service
from asgi_auth.stores.redis import RedisStore
from asgi_auth.stores.sql import SQLStore

async def main(begin, url, ticket, count):
    store = (RedisStore if url.startswith("redis") else SQLStore)(url)
    app = guarded(service(store=store))
    statuses = []
    async def send(message):
        statuses.append(message.get("status"))
    def ask():
        query = b"ticket=" + ticket.encode()
        return app(http_scope("/events", query=query), None, send)
    await store.once("warm", "up", ttl=0)
    await begin()
    await asyncio.gather(*(ask() for _ in range(count)))
    await store.aclose()
    return statuses.count(200), statuses.count(401)
"""


@pytest.mark.parametrize("kind", ["sqlite", "postgres", "valkey"])
async def test_of_fifty_requests_in_four_processes_one_spends_a_ticket(kind, request):
    with valkey_server() if kind == "valkey" else nullcontext() as server:
        url = server.url if server else request.getfixturevalue(f"{kind}_url")
        store = RedisStore(url) if server else SQLStore(url)
        if not server:
            await store.create_schema()
        tokens = service(store=store)
        ticket = await ticket_of(tokens)
        runs = [[url, ticket, count] for count in (12, 12, 13, 13)]
        counts = await raced(RACE, *runs)
        assert sum(good for good, _ in counts) == 1
        assert sum(bad for _, bad in counts) == 49
        await tokens.aclose()
        await store.aclose()
