"""The libraries that clients are made of, and a server of a few lines."""

from __future__ import annotations

import importlib
import json
from types import ModuleType

import pytest

from asgi_auth.client import Tokens
from asgi_auth.client.auth import BearerAuthFlows
from asgi_auth.testing import FakeClock

ORIGIN = "https://api.example"
REFRESH = f"{ORIGIN}/auth/refresh"
INVALID = {"www-authenticate": 'Bearer error="invalid_token"'}


class Kit:
    """One client library, with its authentication."""

    def __init__(self, name: str) -> None:
        self.library: ModuleType = importlib.import_module(name)
        door = importlib.import_module(f"asgi_auth.client.{name}")
        self.BearerAuth: type[BearerAuthFlows] = door.BearerAuth


def wire_to(library, api):
    """Make a transport that uses up the bodies of requests, as sockets do."""

    class Wire(library.MockTransport):
        def handle_request(self, request):
            return super().handle_request(received(request, b"".join(request.stream)))

        async def handle_async_request(self, request):
            body = b"".join([part async for part in request.stream])
            return await super().handle_async_request(received(request, body))

    def received(request, body):
        return library.Request(
            request.method, request.url, headers=request.headers, content=body
        )

    return Wire(api)


class Api:
    """Accepts one access token, and gives the next one for a refresh token.

    It stands behind a transport of the library, in place of a network.
    """

    def __init__(self, kit: Kit) -> None:
        self.library = kit.library
        self.transport = wire_to(kit.library, self)
        self.number = 1
        self.seen: list[tuple[str, str, str | None]] = []
        self.bodies: list[bytes] = []
        self.refreshes = 0
        self.fault = None
        self.refusal = (401, INVALID)
        self.redirects: dict[str, tuple[int, str]] = {}

    def __call__(self, request):
        url = str(request.url)
        self.seen.append((request.method, url, request.headers.get("authorization")))
        if url in self.redirects:
            status, target = self.redirects[url]
            return self.answer(status, headers={"location": target})
        if url == REFRESH:
            return self.refresh(request)

        self.bodies.append(request.read())
        if request.headers.get("authorization") == f"Bearer secret-a{self.number}":
            return self.answer(200, json={"ok": True})
        status, headers = self.refusal
        return self.answer(status, headers=headers)

    def refresh(self, request):
        self.refreshes += 1
        if self.fault is not None:
            return self.fault(request)
        if json.loads(request.read()) != {"refresh_token": f"secret-r{self.number}"}:
            return self.answer(401, headers=INVALID)

        self.number += 1
        return self.answer(200, json=self.pair())

    def pair(self):
        return {
            "access_token": f"secret-a{self.number}",
            "refresh_token": f"secret-r{self.number}",
            "expires_in": 900,
        }

    def answer(self, status, **content):
        return self.library.Response(status, **content)

    def paths(self):
        return [url.removeprefix(ORIGIN) for _, url, _ in self.seen]


class Bench:
    """An API, a clock, and clients that share one authentication."""

    def __init__(self, kit: Kit, **options) -> None:
        self.kit = kit
        self.api = Api(kit)
        self.clock = FakeClock()
        self.saved: list[Tokens | None] = []
        self.sender = kit.library.Client(transport=self.api.transport)
        self.auth = kit.BearerAuth(
            REFRESH,
            Tokens.from_answer(self.api.pair(), received_at=self.clock()),
            **{
                "clock": self.clock,
                "client": self.sender,
                "save": self.saved.append,
                **options,
            },
        )

    def client(self, **options):
        return self.kit.library.Client(
            transport=self.api.transport, base_url=ORIGIN, auth=self.auth, **options
        )

    def async_client(self, **options):
        return self.kit.library.AsyncClient(
            transport=self.api.transport, base_url=ORIGIN, auth=self.auth, **options
        )


@pytest.fixture(params=["httpx2", "httpx"])
def kit(request):
    return Kit(request.param)


@pytest.fixture
def bench(kit):
    return Bench(kit)
