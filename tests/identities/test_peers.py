"""Log-ins at providers that others wrote: oidc-provider, and oidc-provider-mock."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urljoin

import httpx2
import pytest

from asgi_auth.identities import Client, IDTokenPolicy, OIDCProvider
from asgi_auth.keys import SealKeys, Transport
from tests.identities.test_routes import ORIGIN, Provided, target
from tests.routes.world import assert_problem

pytestmark = pytest.mark.anyio

PEERS = Path(__file__).parent / "peers"
MODULES = os.environ.get("NPM_PEERS", "")
CALLBACK = f"{ORIGIN}/auth/providers/peer/callback"
SECRET = "a-secret-of-the-client-shop"


def site_with(issuer, **options) -> Provided:
    peer = OIDCProvider(
        "peer",
        issuer,
        Client(id="shop", secret=SECRET),
        id_token_policy=IDTokenPolicy(trust_addresses=True),
        transport=Transport(timeout=20),
        **options,
    )
    site = Provided(providers=[peer], seal=SealKeys.from_secrets("x" * 32))
    # The peers have a clock of their own.
    site.clock.set(time.time())
    return site


async def begin(client, **body) -> str:
    answer = await client.post("/auth/providers/peer/start", json=body)
    assert answer.status_code == 200, answer.text
    return answer.json()["url"]


def path_of(location: str) -> str:
    """Return the part of our address that the provider sends the browser to."""
    assert location.startswith(CALLBACK)
    return location.removeprefix(ORIGIN)


# With oidc-provider, from npm.


@contextmanager
def running(*command):
    """Run a peer, which prints where it is, and end it."""
    process = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        yield next(line.strip() for line in process.stdout if line.startswith("http"))
    finally:
        process.kill()
        process.communicate()


@pytest.fixture(scope="module")
def oidc_provider(tmp_path_factory):
    if not MODULES or shutil.which("node") is None:
        pytest.skip("NPM_PEERS names no node_modules with oidc-provider")

    place = tmp_path_factory.mktemp("peer")
    shutil.copy(PEERS / "provider.mjs", place)
    (place / "node_modules").symlink_to(MODULES)
    with running("node", place / "provider.mjs", CALLBACK) as url:
        yield url


async def go(url, client, name) -> str:
    """Walk through the provider's pages as *name*; return where they end."""
    answer = await client.get(url)
    for _ in range(12):
        if answer.status_code in {302, 303}:
            location = urljoin(str(answer.url), answer.headers["location"])
            if location.startswith(ORIGIN):
                return location
            answer = await client.get(location)
            continue

        assert answer.status_code == 200, answer.text
        prompt = "login" if 'value="login"' in answer.text else "consent"
        form = {"prompt": prompt, "login": name, "password": "x"}
        answer = await client.post(str(answer.url), data=form)
    raise AssertionError(answer.text)


async def test_users_of_oidc_provider_log_in(oidc_provider):
    site = site_with(oidc_provider, keep_tokens=True)
    async with site.browser() as ours, httpx2.AsyncClient(timeout=20) as theirs:
        location = await go(await begin(ours, next="/a"), theirs, "ann")
        assert "iss=" in location
        assert target(await ours.get(path_of(location))) == "/a"
        me = (await ours.get("/auth/me")).json()
        # It says the address in UserInfo only.
        assert me["email"] == "ann@example.com"
        assert_problem(await ours.get(path_of(location)), 400, "invalid_callback")

        # Logged in there already; known here already.
        again = await go(await begin(ours), theirs, "nobody")
        assert target(await ours.get(path_of(again))) == "/"
        assert (await ours.get("/auth/me")).json()["id"] == me["id"]
        tokens = await site.identities.provider_tokens(me["id"], "peer")
        assert tokens["access_token"]

        # A fresh log-in is one, and is proven by auth_time.
        site.clock.set(time.time())
        fresh = await go(await begin(ours, fresh=True), theirs, "ann")
        assert target(await ours.get(path_of(fresh))) == "/"


async def test_who_is_not_vouched_for_gets_no_account(oidc_provider):
    site = site_with(oidc_provider)
    async with site.browser() as ours, httpx2.AsyncClient(timeout=20) as theirs:
        location = await go(await begin(ours), theirs, "mallory")
        assert_problem(await ours.get(path_of(location)), 403, "link_required")


async def test_the_provider_refuses_without_asking(oidc_provider):
    site = site_with(oidc_provider)
    async with site.browser() as ours, httpx2.AsyncClient(timeout=20) as theirs:
        location = await go(await begin(ours, prompt="none"), theirs, "ann")
        assert "error=login_required" in location
        assert_problem(await ours.get(path_of(location)), 403, "provider_denied")


async def test_a_code_of_another_browser_is_refused_by_the_provider(oidc_provider):
    """PKCE: the verifier of the victim is not the attacker's."""
    site = site_with(oidc_provider)
    async with site.browser() as ours, httpx2.AsyncClient(timeout=20) as theirs:
        stolen = await go(await begin(ours), theirs, "ann")
        own = await go(await begin(ours), theirs, "ann")
        codes = [httpx2.URL(each).params["code"] for each in (stolen, own)]
        mixed = path_of(own).replace(codes[1], codes[0])
        assert_problem(await ours.get(mixed), 400, "invalid_callback")


# With oidc-provider-mock, from PyPI.


@pytest.fixture(scope="module")
def mock():
    users = [["ann", {"email": "ann@example.com", "email_verified": True}]]
    with running(sys.executable, PEERS / "mock.py", json.dumps(users)) as url:
        yield url


async def test_users_of_oidc_provider_mock_log_in(mock):
    site = site_with(mock)
    async with site.browser() as ours, httpx2.AsyncClient(timeout=20) as theirs:
        for _ in range(2):
            url = await begin(ours)
            answer = await theirs.post(url, data={"sub": "ann"})
            location = answer.headers["location"]
            assert target(await ours.get(path_of(location))) == "/"
        assert (await ours.get("/auth/me")).json()["email"] == "ann@example.com"

        denied = await theirs.post(await begin(ours), data={"action": "deny"})
        assert "error=access_denied" in denied.headers["location"]
        state = httpx2.URL(url).params["state"]
        back = httpx2.URL(denied.headers["location"])
        path = path_of(str(back.copy_set_param("state", state)))
        assert_problem(await ours.get(path), 400, "invalid_callback")

        # It makes up users with an address that it has not verified.
        answer = await theirs.post(await begin(ours), data={"sub": "bob@example.com"})
        answer = await ours.get(path_of(answer.headers["location"]))
        assert_problem(answer, 403, "link_required")
