"""Public paths where a server sets ``root_path`` and a mount adds to it.

uvicorn is told what a proxy has cut off; hypercorn and granian get the whole path.
"""

from __future__ import annotations

import httpx2
import pytest

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
