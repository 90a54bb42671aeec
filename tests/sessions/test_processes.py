from __future__ import annotations

import asyncio
import json
import os
import secrets
import signal
import subprocess
import sys
import time
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from asgi_auth import KeySet, TokenService
from asgi_auth.stores.redis import RedisStore
from asgi_auth.stores.sql import SQLStore
from tests.postgres import start_postgres, stop_postgres
from tests.stores.valkey import valkey_server

WORKER = Path(__file__).parent / "worker.py"
SECRET = secrets.token_urlsafe(64)


@pytest.fixture(scope="module", params=["valkey", "postgres", "sqlite"])
def url(request, tmp_path_factory):
    if request.param == "valkey":
        with valkey_server() as server:
            yield server.url
    elif request.param == "postgres":
        server = start_postgres()
        yield server.get_uri()
        stop_postgres(server)
    else:
        yield f"sqlite:///{tmp_path_factory.mktemp('store') / 'sessions.db'}"


@pytest.fixture
async def tokens(url):
    store = RedisStore(url) if url.startswith("redis") else SQLStore(url)
    if isinstance(store, SQLStore):
        await store.create_schema()
    made = TokenService(
        KeySet.from_secret(SECRET), store=store, issuer="https://api.example"
    )
    yield made
    await made.aclose()
    await store.aclose()


@pytest.fixture(scope="module")
def forks(tmp_path_factory):
    """The address of a process that forks others, with everything imported."""
    path = tmp_path_factory.mktemp("forks") / "socket"
    process = subprocess.Popen(
        [sys.executable, WORKER, path], stdout=subprocess.PIPE, cwd=path.parent
    )
    with process:
        assert process.stdout.readline() == b"ready\n"
        yield path
        process.kill()


class Worker:
    def __init__(self, pid, reader, writer):
        self.pid, self.reader, self.writer = pid, reader, writer

    async def ask(self, what, token):
        self.writer.write(f"{what} {token}\n".encode())
        await self.writer.drain()
        return json.loads(await self.reader.readline())

    async def until_refused(self, token):
        """Return the seconds until the token is refused."""
        began = time.monotonic()
        while (await self.ask("verify", token))["answer"] == "good":
            assert time.monotonic() - began < 10
            await asyncio.sleep(0.005)
        return time.monotonic() - began


@pytest.fixture
def worker(forks, url):
    @asynccontextmanager
    async def start(**options):
        reader, writer = await asyncio.open_unix_connection(forks)
        writer.write(json.dumps([url, SECRET, options]).encode() + b"\n")
        try:
            yield Worker(int(await reader.readline()), reader, writer)
        finally:
            writer.write_eof()
            assert await reader.read() == b""  # It has ended.
            writer.close()

    return start


@pytest.mark.parametrize("way", ["session", "subject", "token", "all"])
async def test_a_revocation_reaches_another_process_within_a_second(
    tokens, worker, way
):
    async with worker() as other:
        pair = await tokens.issue(f"42-{way}")
        assert (await other.ask("verify", pair.access_token))["answer"] == "good"
        # What reads along is awake, as it is in a running service.
        await asyncio.sleep(0.2)

        if way == "session":
            await tokens.revoke(pair.refresh_token)
        elif way == "subject":
            await tokens.revoke_subject("42-subject")
        elif way == "token":
            await tokens.revoke(pair.access_token)
        else:
            await tokens.revoke_all()

        assert await other.until_refused(pair.access_token) < 1.0

    if way == "all":
        # Tokens are dated in whole seconds: what is issued in this one is hit as well.
        await asyncio.sleep(1.1)


async def test_a_suspended_process_answers_its_first_request_rightly(tokens, worker):
    async with worker(max_staleness=1.0) as other:
        pair = await tokens.issue("suspended")
        assert (await other.ask("verify", pair.access_token))["answer"] == "good"

        os.kill(other.pid, signal.SIGSTOP)
        await tokens.revoke(pair.refresh_token)
        await asyncio.sleep(1.5)
        os.kill(other.pid, signal.SIGCONT)

        answer = await other.ask("verify", pair.access_token)
        assert answer["answer"] == "token_revoked"


async def test_four_processes_that_race_get_one_successor(tokens, worker):
    pair = await tokens.issue("raced")
    async with (
        worker() as one,
        worker() as two,
        worker() as three,
        worker() as four,
    ):
        answers = await asyncio.gather(
            *(w.ask("refresh", pair.refresh_token) for w in (one, two, three, four))
        )

    successors = {tuple(pair) for a in answers for pair in a["answer"]}
    assert len(successors) == 1
    assert {seq for _, seq in successors} == {1}
