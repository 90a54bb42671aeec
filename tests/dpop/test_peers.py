"""Clients, an issuer and a resource server that others wrote, both ways."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import threading
from contextlib import contextmanager
from pathlib import Path

import anyio
import httpx2
import pytest
import uvicorn

from asgi_auth import AuthenticationMiddleware, JWTBackend, KeySet
from asgi_auth.backends import Client
from asgi_auth.backends.endpoint import IntrospectionEndpoint
from asgi_auth.backends.introspection import IntrospectionBackend
from asgi_auth.backends.issuers import IssuersBackend
from asgi_auth.backends.trusted import TrustedIssuer
from asgi_auth.client import Tokens
from asgi_auth.client.httpx2 import BearerAuth
from asgi_auth.dpop import DPoP, Nonces, ProofSigner
from asgi_auth.tokens import ClaimMapping
from tests.asgi import Echo
from tests.routes.world import EMAIL, PASSWORD, World

PEERS = Path(__file__).parent / "peers"
MODULES = os.environ.get("NPM_PEERS", "")
SECRET = "o6Jt0C4tXfJ8c3Yw5sQvR1kZ9mB7nE2u"

pytestmark = pytest.mark.skipif(
    not MODULES or shutil.which("node") is None,
    reason="NPM_PEERS names no node_modules with oauth4webapi, dpop and oidc-provider",
)


class Site:
    """Log-in routes below ``/auth``, a resource elsewhere."""

    def __init__(self, origin):
        dpop = DPoP(origin, nonces=Nonces(SECRET), required=True)
        self.world = World(
            dpop=dpop,
            prefix="/auth",
            keys=KeySet.generate("ES256"),
            tokens={"issuer": origin, "clock": None},
        )
        self.backend = JWTBackend(self.world.tokens, confirmations=[dpop])
        self.api = AuthenticationMiddleware(Echo(), self.backend, required=True)

    async def __call__(self, scope, receive, send):
        if scope["type"] == "http" and scope["path"] == "/jwks.json":
            scope = {**scope, "path": "/auth/jwks.json"}

        is_ours = scope["type"] == "http" and scope["path"].startswith("/auth/")
        await (self.world.routes if is_ours else self.api)(scope, receive, send)


@contextmanager
def serving(make, port):
    app = make(f"http://127.0.0.1:{port}")
    config = uvicorn.Config(app, port=port, log_level="warning", lifespan="off")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        assert thread.is_alive()
    try:
        yield app
    finally:
        server.should_exit = True
        thread.join()


@pytest.fixture
def place(tmp_path):
    """Give the scripts a directory from which Node finds the packages."""
    for script in PEERS.iterdir():
        shutil.copy(script, tmp_path)
    (tmp_path / "node_modules").symlink_to(MODULES)
    return tmp_path


def test_their_clients_work_with_our_server(place, free_port):
    with serving(Site, free_port) as site:
        anyio.run(site.world.add)
        command = ["node", place / "clients.mjs", f"http://127.0.0.1:{free_port}"]
        done = subprocess.run(
            command, check=False, capture_output=True, text=True, timeout=60
        )
        assert done.returncode == 0, done.stderr

    report = json.loads(done.stdout)
    assert report.pop("nonces") >= 2
    assert report == {
        "ES256 type": "dpop",
        "ES256 resource": 200,
        "ES256 as bearer": ["invalid_token"],
        "Ed25519 type": "dpop",
        "Ed25519 resource": 200,
        "Ed25519 as bearer": ["invalid_token"],
        "dpop resource": 200,
        "dpop again": 401,
    }


@contextmanager
def provider(place, ours):
    command = ["node", place / "provider.mjs", ours, "api"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        yield next(line.strip() for line in process.stdout if line.startswith("http"))
    finally:
        process.kill()
        process.communicate()


async def test_our_client_and_backends_work_with_theirs(place, free_port):
    ours = f"http://127.0.0.1:{free_port}"
    with serving(Site, free_port) as site, provider(place, ours) as issuer:
        await site.world.add()
        await check_resource(ours, issuer)
        await check_issuer(issuer)
        await check_refresh(issuer)


async def check_resource(ours, theirs):
    """Log in at ours, and go to a resource server that oauth4webapi protects."""
    auth = BearerAuth(f"{ours}/auth/refresh", origins=[theirs], dpop=True)
    async with httpx2.AsyncClient(timeout=20) as client:
        login = {"email": EMAIL, "password": PASSWORD}
        answer = await client.post(
            f"{ours}/auth/login", json=login, auth=auth.for_log_in
        )
        auth.replace(Tokens.from_answer(answer.json(), token_type="DPoP"))
        answer = await client.get(f"{theirs}/orders?page=2", auth=auth)
        assert answer.status_code == 200, answer.text
        assert answer.json()["subject"]
        thief = {"authorization": f"DPoP {auth.tokens.access_token}"}
        assert (await client.get(f"{theirs}/orders", headers=thief)).status_code == 401


async def check_issuer(issuer):
    """Take tokens that oidc-provider has bound, as JWT and by introspection."""
    api = "https://api.example"
    dpop = DPoP(api, required=True)
    trusted = TrustedIssuer(issuer, audience="urn:api", keys=f"{issuer}/jwks")
    opaque = IntrospectionBackend(
        IntrospectionEndpoint(
            f"{issuer}/token/introspection",
            client=Client(
                id="orders", secret="a-secret-of-the-client-orders", method="post"
            ),
        ),
        issuer=issuer,
        audience="urn:api/opaque",
        claim_mapping=ClaimMapping(subject="client_id"),
        confirmations=[dpop],
    )
    for resource, backend in [
        ("urn:api", IssuersBackend(trusted, confirmations=[dpop])),
        ("urn:api/opaque", opaque),
    ]:
        auth = BearerAuth(f"{issuer}/token", origins=[api], dpop=True)
        form = {
            "grant_type": "client_credentials",
            "resource": resource,
            "scope": "read",
        }
        async with httpx2.AsyncClient(timeout=20) as client:
            answer = await client.post(
                f"{issuer}/token", data={**form, **CLIENT}, auth=auth.for_log_in
            )
        assert answer.status_code == 200, answer.text
        auth.replace(Tokens.from_answer(answer.json(), token_type="DPoP"))
        await check_api(api, backend, auth)

    await opaque.aclose()


async def check_refresh(issuer):
    """Renew a refresh token that oidc-provider has bound to our key."""
    signer = ProofSigner()
    async with httpx2.AsyncClient(timeout=20) as client:
        asked = {"jkt": signer.thumbprint}
        answer = await client.get(f"{issuer}/refresh-token", params=asked)
        api = "https://api.example"
        auth = BearerAuth(
            f"{issuer}/token",
            Tokens(refresh_token=answer.text),
            form=CLIENT,
            client=client,
            origins=[api],
            dpop=signer,
        )
        trusted = TrustedIssuer(issuer, audience="urn:api", keys=f"{issuer}/jwks")
        await check_api(api, IssuersBackend(trusted, confirmations=[DPoP(api)]), auth)
        assert auth.tokens.refresh_token not in {None, answer.text}


CLIENT = {"client_id": "orders", "client_secret": "a-secret-of-the-client-orders"}


async def check_api(api, backend, auth):
    app = AuthenticationMiddleware(Echo(), backend, required=True)
    transport = httpx2.ASGITransport(app=app)
    async with httpx2.AsyncClient(transport=transport, base_url=api) as client:
        for _ in range(2):
            answer = await client.get("/orders", auth=auth)
            assert answer.status_code == 200, answer.headers

        bearer = {"authorization": f"Bearer {auth.tokens.access_token}"}
        assert (await client.get("/orders", headers=bearer)).status_code == 401
