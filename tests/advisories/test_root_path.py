"""No ``root_path`` talks a private route into being public, whatever the framework.

Daphne takes ``root_path`` from a header of the client, and each framework takes it out
of the path in another way.
"""

from __future__ import annotations

import asyncio
import http.client
import json
from itertools import product
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asgi_auth.backends.jwt import JWTBackend
from asgi_auth.keys import KeySet
from asgi_auth.middleware import AuthenticationMiddleware
from asgi_auth.sessions import TokenService
from tests.advisories import rooted_apps
from tests.asgi import converse, http_scope
from tests.examples import some_of
from tests.servers.running import running, running_all

SECRET = "v8Qm2kX0r4TnWz7LpYc1Hs9GdUfJb6Ae3Ro5Ti"
PUBLIC = ["/docs/*"]
FRAMEWORKS = sorted(rooted_apps.APPS)
HOSTILE = ["/files//", "/files/", "/docs/z", "/docs", "//", "/", "files", "/files/."]
SEGMENTS = st.lists(
    st.sampled_from(["docs", "files", "a", "docsz", "xdocs", "d", ""]), max_size=4
)


@pytest.fixture(autouse=True)
def django_urls():
    rooted_apps.set_django_up()
    from django.test import override_settings

    with override_settings(ROOT_URLCONF="tests.advisories.rooted_urls"):
        yield


def guarded(name):
    make = rooted_apps.APPS[name]
    backend = JWTBackend(TokenService(KeySet.from_secret(SECRET)))
    return make(backend, required=True, public_paths=PUBLIC)


async def answers(app, scope):
    """Send one request, and leave once it is answered; return the messages."""
    inbox = [{"type": "http.request", "body": b"", "more_body": False}]
    is_answered, sent = asyncio.Event(), []

    async def receive():
        if inbox:
            return inbox.pop()

        # Django stops when a client leaves, and Quart waits until it does.
        await is_answered.wait()
        return {"type": "http.disconnect"}

    async def send(message):
        sent.append(message)
        if message["type"] == "http.response.body" and not message.get("more_body"):
            is_answered.set()

    await app(scope, receive, send)
    return sent


async def routed_path(app, path, root):
    """Return the path that an anonymous caller gets routed, or ``None``."""
    scope = http_scope(path, root_path=root, headers=[(b"host", b"testserver")])
    sent = await answers(app, scope)
    if sent[0]["status"] != 200:
        return None

    return json.loads(b"".join(m.get("body", b"") for m in sent))["routed"]


@pytest.mark.parametrize("name", FRAMEWORKS)
async def test_what_is_public_is_what_the_framework_routes_as_public(name):
    app = guarded(name)
    assert await routed_path(app, "/docs/a", "") == "/docs/a"
    assert await routed_path(app, "/v1/docs/a", "/v1") == "/docs/a"
    assert await routed_path(app, "/files/a", "") is None


@pytest.mark.parametrize("name", FRAMEWORKS)
@pytest.mark.parametrize("root", HOSTILE)
@pytest.mark.parametrize("path", ["/files/docs/a", "/docs/files/a", "/docs/zsecret/ws"])
async def test_a_hostile_root_path_opens_no_private_route(name, root, path):
    routed = await routed_path(guarded(name), path, root)
    assert routed is None or routed.startswith("/docs/")


@pytest.mark.parametrize("name", FRAMEWORKS)
def test_no_root_path_at_all_opens_a_private_route(name):
    app = guarded(name)

    @settings(max_examples=some_of(150), deadline=None)
    @given(SEGMENTS, SEGMENTS, st.sampled_from(["", "/", "//", "/.", "%2f"]))
    def hold(path, root, end):
        path, root = "/" + "/".join(path), "/".join(["", *root]) + end
        routed = rooted_apps.call(routed_path(app, path, root))
        assert routed is None or routed.startswith("/docs/"), (path, root)

    hold()


# -------------------------------------------------------------------- Django's sockets


async def test_a_nested_router_of_channels_is_matched_by_what_it_routes():
    app = rooted_apps.nested_channels(guarded_by_channels)

    assert await accepted(app, "/outer/docs/a")
    assert not await accepted(app, "/docs/outer/secret")
    assert not await accepted(app, "/outer/secret")


def guarded_by_channels(app):
    from asgi_auth.integrations.channels import install

    backend = JWTBackend(TokenService(KeySet.from_secret(SECRET)))
    return install(app, backend, required=True, public_paths=PUBLIC)


async def accepted(app, path):
    sent = await converse(app, path, headers=[(b"host", b"testserver")])
    return sent[0]["type"] == "websocket.accept"


# ---------------------------------------------------------------------- the real Daphne


@pytest.fixture(scope="module")
def daphne():
    pytest.importorskip("daphne", reason="platform: there is no Daphne for this Python")
    command = ["daphne", "-p", "{port}", "tests.advisories.rooted_apps:served"]
    with running("daphne", command) as server:
        yield server


def get(server, path, root=None, **more):
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)
    headers = {} if root is None else {"Daphne-Root-Path": quote(root)}
    connection.request("GET", path, headers={**headers, **more})
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    return answer.status, body


@pytest.mark.parametrize("name", sorted(rooted_apps.APPS))
def test_daphnes_header_opens_no_private_route(name, daphne):
    assert get(daphne, "/docs/a", **{"X-App": name})[0] == 200
    assert get(daphne, "/files/docs/a", **{"X-App": name})[0] == 401
    for root in HOSTILE:
        for path in ("/files/docs/a", "/docs/files/a"):
            status, body = get(daphne, path, root, **{"X-App": name})
            routed = json.loads(body)["routed"] if status == 200 else "/docs/"
            assert routed.startswith("/docs/"), (path, root)


def test_daphnes_header_opens_no_private_socket(daphne):
    from websockets.exceptions import InvalidStatus
    from websockets.sync.client import connect

    url = f"ws://127.0.0.1:{daphne.port}"
    with connect(f"{url}/docs/ws", proxy=None, open_timeout=20):
        pass

    for root in ("/docs/z", "/docs", "/docs/"):
        headers = {"Daphne-Root-Path": root}
        with pytest.raises(InvalidStatus):
            connect(f"{url}/docs/zsecret/ws", additional_headers=headers, proxy=None)


# ----------------------------------------- servers whose operator has named a root path

ROOTED = {
    "uvicorn": ["uvicorn", "--port", "{port}", "--root-path"],
    # No worker of its own: it serves where the app has been imported.
    "hypercorn": [
        *["hypercorn", "--bind", "127.0.0.1:{port}", "--workers", "0"],
        "--root-path",
    ],
    "granian": [
        *["granian", "--interface", "asgi", "--port", "{port}"],
        "--url-path-prefix",
    ],
}
ROOTS = ["/files", "/files/", "/files//", "/docs", "/docs/z"]


@pytest.fixture(scope="module", params=sorted(ROOTED))
def rooted(request):
    """A server for each root path."""
    app = "tests.advisories.rooted_apps"
    commands = [[*ROOTED[request.param], root, f"{app}:served"] for root in ROOTS]
    with running_all(request.param, f"{app}:make_all", commands) as servers:
        yield dict(zip(ROOTS, servers, strict=True))


@pytest.mark.parametrize("root", ROOTS)
def test_the_root_path_of_a_server_opens_no_private_route(rooted, root):
    seen = set()
    for name, path in product(sorted(rooted_apps.APPS), PATHS):
        status, body = get(rooted[root], path, **{"X-App": name})
        assert status in {200, 307, 401, 404}, (name, path)
        seen.add(status)
        routed = json.loads(body)["routed"] if status == 200 else "/docs/"
        assert routed.startswith("/docs/"), (name, path)

    assert 401 in seen


PATHS = [
    *["/files/docs/a", "/docs/files/a", "/docs/zsecret", "//docs/a", "/files//docs/a"],
    *["/docs/../files/a", "/%64ocs/a", "/files/%2e%2e/docs/a", "/docs%2fa", "/docs;/a"],
]


def test_no_root_path_of_a_client_counts_where_an_app_takes_none_out(daphne):
    for root in (*HOSTILE, "/files", "/files/docs"):
        # The whole path is routed: it must be public as well.
        answer = get(daphne, "/files/docs/a", root, **{"X-App": "whole"})
        assert answer[0] == 401, root
        assert get(daphne, "/docs/a", root, **{"X-App": "whole"})[0] in {200, 401}
    assert get(daphne, "/docs/a", **{"X-App": "whole"})[0] == 200


async def test_django_behind_a_router_of_channels_reads_the_whole_path():
    app = rooted_apps.routed_django(guarded_by_channels)
    assert await status_of(app, "/docs/a") == 200
    for path in ("/files/a", "/files/docs/secret", "/docs/../files/a"):
        assert await status_of(app, path) == 401, path


async def status_of(app, path):
    headers = [(b"host", b"testserver")]
    sent = await answers(app, http_scope(path, headers=headers))
    return sent[0]["status"]


async def test_a_slash_at_the_end_is_no_other_path_to_quart():
    from quart import Quart

    from asgi_auth.integrations.quart import install

    for strict in (True, False):
        app = Quart("slashes")
        app.url_map.strict_slashes = strict
        backend = JWTBackend(TokenService(KeySet.from_secret(SECRET)))
        install(app, backend, required=True, public_paths=PUBLIC)
        for rule in ("/docs", "/docs/a", "/docs/b/"):
            app.add_url_rule(rule, rule, lambda: "hello")

        assert await status_of(app, "/docs/a") == 200
        assert await status_of(app, "/docs/b/") == 200
        assert await status_of(app, "/docs/") == await status_of(app, "/docs") == 401


def test_a_middleware_that_is_wrapped_plainly_keeps_to_the_rule():
    app = AuthenticationMiddleware(
        rooted_apps.plain,
        JWTBackend(TokenService(KeySet.from_secret(SECRET))),
        required=True,
        public_paths=PUBLIC,
    )
    scope = http_scope("/api/docs/x", root_path="/api/")
    assert not app._is_public(scope)
