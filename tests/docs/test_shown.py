"""What guides show beside their examples is what the examples answer."""

from __future__ import annotations

import asyncio
import re

import httpx2
import pytest

from tests.docs.pasting import ROOT, looks_like
from tests.docs.test_examples import module, run_page

__all__ = ["module"]

PAGE = "https://app.example.com"
OWN = {"Origin": PAGE, "Sec-Fetch-Site": "same-site"}
FOREIGN = {"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"}
EVE = {"email": "eve@example.com", "password": "violet-otter-42-lamp"}


@pytest.fixture
def example(module):
    def run(name):
        path = ROOT / "docs" / "how-to" / f"{name}.md"
        run_page(str(path), path.read_text("utf-8"), module)
        return module

    return run


def client_of(app, origin, **headers):
    transport = httpx2.ASGITransport(app=app)
    return httpx2.AsyncClient(transport=transport, base_url=origin, headers=headers)


def shown_in(name):
    text = (ROOT / "docs" / "how-to" / f"{name}.md").read_text("utf-8")
    return re.search(r"^```text\n(.*?)^```", text, re.DOTALL | re.MULTILINE)[1]


def test_a_log_in_at_a_provider_begins_on_localhost_as_the_page_shows(example):
    async def begin(app):
        async with client_of(app, "http://localhost:8000") as client:
            providers = await client.get("/auth/providers")
            begun = await client.post(
                "/auth/providers/github/start",
                headers={"Origin": "http://localhost:8000"},
                data={"next": "/"},
            )
            return providers, begun

    providers, begun = asyncio.run(begin(example("log-in-with-providers").app))
    lines = [
        providers.text,
        f"HTTP/1.1 {begun.status_code} {begun.reason_phrase}",
        f"location: {begun.headers['location']}",
        f"set-cookie: {begun.headers['set-cookie']}",
    ]
    assert looks_like(lines, shown_in("log-in-with-providers").splitlines())


def test_a_page_of_another_origin_logs_in_with_cookies_as_the_page_says(example):
    async def walk(app):
        async with client_of(app, "https://api.example.com", **OWN) as client:
            asks = {"Access-Control-Request-Method": "POST"}
            preflight = await client.options("/auth/login", headers=asks)
            assert preflight.headers["access-control-allow-origin"] == PAGE

            await client.post("/auth/register", json=EVE)
            answer = await client.post("/auth/login", json=EVE)
            assert answer.headers["access-control-allow-credentials"] == "true"
            assert (await client.get("/auth/me")).json()["email"] == EVE["email"]

            refused = await client.post("/auth/logout", headers=FOREIGN)
            assert (refused.status_code, refused.json()["code"]) == (
                403,
                "cross_origin",
            )

    asyncio.run(walk(example("cookies").api))
