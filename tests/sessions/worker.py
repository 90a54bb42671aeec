"""Further processes that verify tokens, for tests of what reaches them.

Listens on a Unix socket, and forks for each connection a process, which has imported
all before it begins. It reads its URL, secret and options from one line, and says its
number. Then it reads one line a request: an access token to judge. It writes one line
an answer: ``good``, or the error's code, and how long it took in seconds.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import sys
import time

from asgi_auth import AuthError, KeySet, SessionPolicy, TokenService
from asgi_auth.stores.redis import RedisStore
from asgi_auth.stores.sql import SQLStore


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


async def main(stream) -> None:
    def say(line: str) -> None:
        stream.write(line + "\n")
        stream.flush()

    loop = asyncio.get_running_loop()
    url, secret, options = json.loads(stream.readline())
    store = RedisStore(url) if url.startswith("redis") else SQLStore(url)
    tokens = TokenService(
        KeySet.from_secret(secret),
        store=store,
        issuer="https://api.example",
        session_policy=SessionPolicy(**options),
    )
    say(str(os.getpid()))
    while line := (await loop.run_in_executor(None, stream.readline)).strip():
        what, token = line.split()
        began = time.monotonic()
        answer = await (refresh if what == "refresh" else judge)(tokens, token)
        took = time.monotonic() - began
        say(json.dumps({"answer": answer, "took": took}))
    await tokens.aclose()
    await store.aclose()


def serve(path: str) -> None:
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # Nobody asks how they ended.
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen()
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        while True:
            connection, _ = listener.accept()
            if os.fork() == 0:
                listener.close()
                asyncio.run(main(connection.makefile("rw", encoding="utf-8")))
                os._exit(0)

            connection.close()


if __name__ == "__main__":
    serve(sys.argv[1])
