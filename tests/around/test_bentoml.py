"""BentoML calls functions that know nothing of a request. It is large: a slow test."""

from __future__ import annotations

import asyncio

import httpx2
import pytest

from asgi_auth import (
    AuthenticationMiddleware,
    JWTBackend,
    ScopePolicy,
    current_principal,
    requires,
)
from tests import forge

pytestmark = [
    pytest.mark.slow,
    # Of what it imports, and of what it leaves open.
    pytest.mark.filterwarnings("ignore"),
]


def service(monkeypatch):
    monkeypatch.setenv("BENTOML_DO_NOT_TRACK", "True")
    bentoml = pytest.importorskip(
        "bentoml", reason="bentoml is not installed: python -m pip install bentoml"
    )

    class Echo:
        @bentoml.api
        @requires("a")
        async def say(self, text: str) -> str:
            return f"{current_principal().subject} says {text}"

    made = bentoml.service(Echo)
    backend = JWTBackend(forge.verifier())
    made.add_asgi_middleware(
        AuthenticationMiddleware,
        backend=backend,
        scope_policy=ScopePolicy(track_current=True),
    )
    return made.to_asgi()


async def test_the_functions_of_a_service_are_guarded(monkeypatch):
    app = service(monkeypatch)
    inbox, begun = asyncio.Queue(), asyncio.Event()

    async def send(message):
        assert message["type"].endswith(".complete"), message
        begun.set()

    scope = {"type": "lifespan", "asgi": {"version": "3.0"}, "state": {}}
    inbox.put_nowait({"type": "lifespan.startup"})
    lifespan = asyncio.create_task(app(scope, inbox.get, send))
    await begun.wait()
    transport = httpx2.ASGITransport(app=app)
    async with httpx2.AsyncClient(transport=transport, base_url="http://h") as client:

        async def said(**headers):
            return await client.post("/say", json={"text": "hi"}, headers=headers)

        def bearer(scope):
            return {"authorization": f"Bearer {forge.token(scope=scope).decode()}"}

        assert (await said()).status_code == 401
        assert (await said(**bearer("b"))).status_code == 403
        answer = await said(**bearer("a"))
        assert (answer.status_code, answer.text) == (200, "ada says hi")

    inbox.put_nowait({"type": "lifespan.shutdown"})
    await lifespan
