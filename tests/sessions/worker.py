"""A second process that verifies tokens, for tests of what reaches it.

Reads one line a request from standard input: an access token to judge. Writes one line
an answer: ``good``, or the error's code, and how long it took in seconds.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time

from asgi_auth import AuthError, KeySet, TokenService
from asgi_auth.stores.redis import RedisStore
from asgi_auth.stores.sql import SQLStore


def say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


async def judge(tokens: TokenService, token: str) -> str:
    try:
        await tokens.verify(token)
    except AuthError as error:
        return error.code
    return "good"


async def refresh(tokens: TokenService, token: str) -> list[object]:
    pairs = await asyncio.gather(*(tokens.refresh(token) for _ in range(50)))
    found = set()
    for pair in pairs:
        claims = await tokens.verify(pair.refresh_token, "refresh")
        found.add((claims["sid"], claims["seq"]))
    return sorted(found)


async def main(url: str, secret: str, options: dict[str, object]) -> None:
    store = RedisStore(url) if url.startswith("redis") else SQLStore(url)
    tokens = TokenService(
        KeySet.from_secret(secret), store=store, issuer="https://api.example", **options
    )
    loop = asyncio.get_running_loop()
    say("ready")
    while line := (await loop.run_in_executor(None, sys.stdin.readline)).strip():
        what, token = line.split()
        began = time.monotonic()
        answer = await (refresh if what == "refresh" else judge)(tokens, token)
        took = time.monotonic() - began
        say(json.dumps({"answer": answer, "took": took}))
    await tokens.aclose()
    await store.aclose()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], json.loads(sys.argv[3])))
