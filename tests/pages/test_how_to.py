"""The site of the how-to: as long as it says, and it does what it says."""

from __future__ import annotations

import runpy
import secrets
import shutil
from pathlib import Path

import httpx2
import pytest

from tests.pages.site import title

EXAMPLES = Path(__file__).parents[2] / "docs" / "_static" / "examples"
PERSON = {"sec-fetch-mode": "navigate", "sec-fetch-site": "same-origin"}
DATA = {"email": "ann@example.com", "password": "violet-otter-42-lamp"}


@pytest.fixture
async def site(tmp_path, monkeypatch):
    shutil.copytree(EXAMPLES / "templates", tmp_path / "templates")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ASGI_AUTH_SECRET_KEY", secrets.token_hex(32))
    names = runpy.run_path(str(EXAMPLES / "site.py"))
    async with names["lifespan"](names["app"]):
        yield names["app"]
    await names["store"].aclose()
    await names["users"].aclose()


def test_it_has_forty_lines_at_most():
    assert len((EXAMPLES / "site.py").read_text("utf-8").splitlines()) <= 40


async def test_a_note_that_took_longer_than_a_token_lives_is_kept(site):
    transport = httpx2.ASGITransport(app=site)
    async with httpx2.AsyncClient(
        transport=transport, base_url="https://notes.example", headers=PERSON
    ) as browser:
        response = await browser.get("/")
        assert response.headers["location"] == "/auth/log-in?next=%2F"
        response = await browser.post("/auth/sign-up", data=DATA)
        assert response.headers["location"] == "/auth/log-in?done=register"
        data = {"login": DATA["email"], "password": DATA["password"], "next": "/"}
        response = await browser.post("/auth/log-in", data=data)
        response = await browser.get(response.headers["location"])
        assert response.headers["location"] == "/"

        browser.cookies.delete("__Host-access")  # Its age has come.
        response = await browser.post("/", data={"text": "<b>milk</b>"})
        assert (response.status_code, response.headers["location"]) == (303, "/")
        page = await browser.get("/")
        assert "<li>&lt;b&gt;milk&lt;/b&gt;</li>" in page.text
        assert title(await browser.get("/auth/devices")) == "Your devices"
