"""Public paths where a server sets ``root_path`` and a mount adds to it.

uvicorn is told what a proxy has cut off; hypercorn and granian get the whole path.
"""

from __future__ import annotations

import httpx2
import pytest

from asgi_auth import JWTBackend
from asgi_auth.credentials.reader import Credential
from asgi_auth.dpop import ProofSigner
from tests.servers.application import token_service
from tests.servers.running import GRANIAN, HYPERCORN, UVICORN

FACTORY = "tests.servers.application:mounted"
ROOTED = {
    "uvicorn": ([*UVICORN, "--root-path", "/api", "--factory", FACTORY], ""),
    "hypercorn": ([*HYPERCORN, "--root-path", "/api", f"{FACTORY}()"], "/api"),
    "granian": ([*GRANIAN, "--url-path-prefix", "/api", "--factory", FACTORY], "/api"),
}


@pytest.fixture(params=ROOTED)
def status_of(request, start):
    command, prefix = ROOTED[request.param]
    server = start(f"{request.param}-rooted", command)
    url = f"http://127.0.0.1:{server.port}{prefix}"

    def ask(path, **options):
        with httpx2.Client(trust_env=False, timeout=20) as client:
            return client.get(url + path, **options).status_code

    return ask


@pytest.mark.parametrize("path", ["/v1/public", "/v1/docs/", "/v1/docs/a/b"])
def test_public_paths_are_those_below_the_mount(status_of, path):
    assert status_of(path) == 200


@pytest.mark.parametrize(
    "path",
    [
        "/v1/private",
        "/v1/public/",
        "/v1/docs",
        "/v1/v1/public",
        "/v1/docs/%2e%2e/private",
        "/v1//public",
        "/v1/docs//x",
        "/v1/private?x=/public",
    ],
)
def test_every_other_path_needs_a_caller(status_of, path, token):
    assert status_of(path) == 401
    assert status_of(path, headers={"Authorization": f"Bearer {token}"}) == 200


async def test_a_ticket_is_for_the_path_in_the_address(status_of, token):
    tokens = token_service()
    credential = Credential(token.encode(), "header")
    caller = await JWTBackend(tokens).authenticate(credential, {})

    def status_with(path):
        return status_of("/v1/private", params={"ticket": tickets.write(caller, path)})

    tickets = tokens.tickets
    assert status_with("/api/v1/private") == 200
    for path in ("/v1/private", "/private", "/api/api/v1/private", "/api/v1/public"):
        assert status_with(path) == 401


async def test_a_proof_is_for_the_url_in_the_address(status_of):
    signer = ProofSigner()
    pair = await token_service().issue("ann", thumbprint=signer.thumbprint)

    def status_with(path):
        url = f"https://api.example{path}"
        proof = signer.sign("GET", url, token=pair.access_token)
        fields = {"authorization": f"DPoP {pair.access_token}", "dpop": proof}
        return status_of("/v1/private", headers=fields)

    assert status_with("/api/v1/private") == 200
    for path in ("/v1/private", "/private", "/api/api/v1/private", "/api/v1/public"):
        assert status_with(path) == 401


@pytest.fixture
def ask_daphne(start):
    """Ask Daphne, which takes ``root_path`` from a header of the client."""
    pytest.importorskip("daphne", reason="platform: there is no Daphne for this Python")
    command = ["daphne", "-p", "{port}", "-b", "127.0.0.1", "tests.servers.mounted:app"]
    server = start("daphne", command)

    def ask(path, root, **options):
        fields = {**options.pop("headers", {}), "Daphne-Root-Path": root}
        url = f"http://127.0.0.1:{server.port}{path}"
        with httpx2.Client(trust_env=False, timeout=20) as client:
            return client.get(url, headers=fields, **options).status_code

    return ask


async def test_a_root_that_a_client_names_moves_neither_tickets_nor_proofs(
    ask_daphne, token
):
    tokens, signer = token_service(), ProofSigner()
    credential = Credential(token.encode(), "header")
    caller = await JWTBackend(tokens).authenticate(credential, {})
    for path, root, status in [
        ("/v1/private", "/a", 401),
        ("/a/v1/private", "/a", 200),
    ]:
        ticket = tokens.tickets.write(caller, "/a/v1/private")
        assert ask_daphne(path, root, params={"ticket": ticket}) == status

    pair = await tokens.issue("ann", thumbprint=signer.thumbprint)
    url = "https://api.example/api/v1/private"
    for path, root, status in [
        ("/api/v1/private", "/api", 401),
        ("/v1/private", "/api", 200),
    ]:
        proof = signer.sign("GET", url, token=pair.access_token)
        fields = {"authorization": f"DPoP {pair.access_token}", "dpop": proof}
        assert ask_daphne(path, root, headers=fields) == status
