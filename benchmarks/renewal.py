"""What it costs to renew cookies before a handler runs, in bytes and round trips.

``python -m benchmarks.renewal``: no network and no clock, so that it says the same each
time; what a store takes is in the growth of its verbs.
"""

from __future__ import annotations

import asyncio
import secrets
from collections import Counter

import httpx2

from asgi_auth import (
    AuthenticationMiddleware,
    JWTBackend,
    KeySet,
    TokenService,
    requires,
)
from asgi_auth.accounts import AccountService, MemoryAccounts
from asgi_auth.routes import AuthRoutes, Cookies
from asgi_auth.stores import MemoryStore

TOGETHER = 12
SAME = {"sec-fetch-site": "same-origin"}
LOG_IN = {"email": "ann@example.com", "password": "violet-otter-42-lamp"}


class Counted(MemoryStore):
    """A store that counts what is asked of it."""

    def __init__(self) -> None:
        super().__init__()
        self.calls = Counter()

    async def rotate(self, *way, **named):
        self.calls["rotate"] += 1
        await asyncio.sleep(0)  # As a store over a network: others run meanwhile.
        return await super().rotate(*way, **named)


@requires()
async def handler(scope, receive, send):
    await send({"type": "http.response.start", "status": 204, "headers": []})
    await send({"type": "http.response.body", "body": b""})


def cookie_line(cookies) -> str:
    return "; ".join(f"{name}={value}" for name, value in cookies.items())


async def measure() -> dict[str, int]:
    """Return figures by name."""
    store = Counted()
    tokens = TokenService(
        KeySet.from_secret(secrets.token_hex(32)),
        store=store,
        issuer="https://a.example",
    )
    service = AccountService(MemoryAccounts(), tokens, require_verified=False)
    cookies = Cookies(path="/", samesite="lax")
    routes = AuthRoutes(tokens, service, delivery=cookies)
    account = await service.register(LOG_IN["email"], LOG_IN["password"])
    scope = {
        "type": "http",
        "method": "POST",
        "path": "/",
        "query_string": b"",
        "headers": [(b"sec-fetch-site", b"same-origin")],
    }
    headers = await routes.log_in(scope, account)
    backend = JWTBackend(tokens, sources=routes.sources)
    app = routes.renewing(AuthenticationMiddleware(handler, backend))
    jar = dict(v.decode().split(";")[0].split("=", 1) for _, v in headers)
    ended = {name: value for name, value in jar.items() if "access" not in name}

    async with httpx2.AsyncClient(
        transport=httpx2.ASGITransport(app=app), base_url="https://a.example"
    ) as client:

        async def ask(own):
            line = {"cookie": cookie_line(own), **SAME}
            response = await client.post("/", headers=line)
            assert response.status_code == 204
            return response

        await ask(jar)
        calls_of_a_hit = store.calls["rotate"]
        response = await ask(ended)
        calls_of_a_renewal = store.calls["rotate"]
        lines = response.headers.get_list("set-cookie")
        await asyncio.gather(*(ask(ended) for _ in range(TOGETHER)))

    return {
        "request: bytes of the refresh cookie": len(cookie_line(ended)) + len("; "),
        "store: rotations for a good access cookie": calls_of_a_hit,
        "store: rotations for an ended access cookie": calls_of_a_renewal,
        f"store: rotations for {TOGETHER} such requests at once": (
            store.calls["rotate"] - calls_of_a_renewal
        ),
        "answer: bytes of Set-Cookie of a renewal": sum(
            len(f"set-cookie: {line}\r\n") for line in lines
        ),
    }


def main() -> None:
    for name, figure in asyncio.run(measure()).items():
        print(f"{figure:6}  {name}")


if __name__ == "__main__":
    main()
