from __future__ import annotations

import json
import random
import subprocess
import sys

import pytest

from asgi_auth import Site
from asgi_auth.responses.body import MOST_BYTES
from asgi_auth.routes import AuthRoutes, RouteShape
from asgi_auth.routes.parts import OPERATIONS
from tests.asgi import http_scope
from tests.routes.world import World, assert_problem

JSON = {"Content-Type": "application/json"}
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
GOOD = {"email": "ann@example.com", "password": "violet-otter-42-lamp"}


@pytest.mark.parametrize(
    ("body", "headers", "status", "code"),
    [
        (b"", {}, 400, "malformed_body"),
        (b"", JSON, 400, "malformed_body"),
        (b"{", JSON, 400, "malformed_body"),
        (b"not json", JSON, 400, "malformed_body"),
        (b"\xff\xfe", JSON, 400, "malformed_body"),
        (b'{"email": "\\ud800", "password": "x"}', JSON, 400, "malformed_body"),
        (b"[" * 60_000, JSON, 400, "malformed_body"),
        (b'{"email": "\0", "password": "x"}', JSON, 400, "malformed_body"),
        (b"[]", JSON, 422, "invalid_body"),
        (b"null", JSON, 422, "invalid_body"),
        (b'"text"', JSON, 422, "invalid_body"),
        (b"{}", JSON, 422, "invalid_body"),
        (b'{"email": 1, "password": 2}', JSON, 422, "invalid_body"),
        (b'{"email": ["a"], "password": {}}', JSON, 422, "invalid_body"),
        (b'{"email": null, "password": null}', JSON, 422, "invalid_body"),
        (b'{"email": NaN, "password": 1e999}', JSON, 422, "invalid_body"),
        (json.dumps(GOOD).encode(), {}, 415, "unsupported_media_type"),
        (b"<a/>", {"Content-Type": "text/xml"}, 415, "unsupported_media_type"),
        (b"x", {"Content-Type": "text/plain"}, 415, "unsupported_media_type"),
        (b"x", {"Content-Type": "multipart/form-data"}, 415, "unsupported_media_type"),
        (b"x", {"Content-Type": "\xff"}, 415, "unsupported_media_type"),
        (b"x", {**JSON, "Content-Encoding": "gzip"}, 415, "unsupported_media_type"),
    ],
)
async def test_a_body_that_is_no_good_has_a_clear_answer(body, headers, status, code):
    world = World()
    raw = {k.encode(): v.encode("latin-1") for k, v in headers.items()}
    async with world.client() as client:
        answer = await client.post("/login", content=body, headers=raw)
    assert_problem(answer, status, code)


async def test_a_wrong_field_is_named_and_its_value_is_not():
    world = World()
    async with world.client() as client:
        body = {"email": "a@example.com", "password": {"secret": "hunter2-hunter2"}}
        answer = await client.post("/login", json=body)
    assert_problem(answer, 422, "invalid_body")
    assert answer.json()["detail"].startswith("password: ")
    assert "hunter2" not in answer.text


@pytest.mark.parametrize("announced", [True, False])
async def test_a_huge_body_is_refused_before_it_is_read(announced):
    world = World()
    taken = 0
    sent = []

    async def receive():
        nonlocal taken
        taken += 1
        return {"type": "http.request", "body": b"x" * 65536, "more_body": True}

    async def send(message):
        sent.append(message)

    headers = [(b"content-type", b"application/json")]
    if announced:
        headers.append((b"content-length", b"10485760"))
    scope = http_scope("/login", method="POST", headers=headers)
    await world.routes(scope, receive, send)
    assert sent[0]["status"] == 413
    assert json.loads(sent[1]["body"])["code"] == "body_too_large"
    # Who announces more than a refusal would wait for is not waited for at all.
    assert taken <= (0 if announced else 2 + MOST_BYTES // 65536)


@pytest.mark.parametrize("length", [b"9" * 5000, b"-1", b"x", b"\xb2"])
async def test_a_strange_content_length_is_no_crash(length):
    world = World()
    sent = []

    async def receive():
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message):
        sent.append(message)

    headers = [(b"content-type", b"application/json"), (b"content-length", length)]
    await world.routes(
        http_scope("/login", method="POST", headers=headers), receive, send
    )
    assert sent[0]["status"] in {400, 413}


async def test_a_password_of_a_megabyte_costs_nothing():
    world = World(max_body=4 * 1024 * 1024)
    body = {**GOOD, "password": "x" * 1_000_000}
    async with world.client() as client:
        answer = await client.post("/login", json=body)
        assert_problem(answer, 401, "invalid_credentials")
        answer = await client.post("/register", json=body)
        assert_problem(answer, 400, "password_refused")


async def test_a_client_that_leaves_in_the_middle_is_no_crash():
    world = World()
    inbox = [{"type": "http.request", "body": b"{", "more_body": True}]
    sent = []

    async def receive():
        return inbox.pop() if inbox else {"type": "http.disconnect"}

    async def send(message):
        sent.append(message)

    headers = [(b"content-type", b"application/json")]
    await world.routes(
        http_scope("/login", method="POST", headers=headers), receive, send
    )
    assert sent == []


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda op: op.handler)
async def test_another_method_is_not_allowed(operation):
    world = World()
    if operation not in world.routes._operations:
        return
    async with world.client() as client:
        path = operation.path.replace("{sid}", "x")
        answer = await client.request("PATCH", path)
    assert_problem(answer, 405, "method_not_allowed")
    allowed = answer.headers["allow"].split(", ")
    assert operation.method in allowed


@pytest.mark.parametrize(
    "path", ["/", "/nothing", "/login//", "//login", "/LOGIN", "/a\0b", "/sessions/a/b"]
)
async def test_unknown_paths_are_not_found(path):
    world = World()
    sent = []

    async def receive():
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message):
        sent.append(message)

    await world.routes(http_scope(path, method="POST"), receive, send)
    assert sent[0]["status"] == 404
    assert (b"content-type", b"application/problem+json") in sent[0]["headers"]


@pytest.mark.parametrize("label", ["a\0b", "x" * 65, 7, "line\nbreak"])
async def test_a_strange_device_label_is_refused(label):
    world = World()
    await world.add()
    async with world.client() as client:
        answer = await client.post("/login", json={**GOOD, "device_label": label})
    assert_problem(answer, 422, "invalid_body")


async def test_credentials_that_cannot_be_used_are_never_a_crash():
    world = World(delivery="both")
    chance = random.Random(7)
    letters = bytes(set(range(256)) - set(b"\0\r\n"))
    values = [bytes(chance.choices(letters, k=30)) for _ in range(50)]
    async with world.client() as client:
        for value in [*values, b"", b"Bearer", b"Bearer  x", b"Bearer \xff"]:
            for name in (b"Authorization", b"Cookie", b"User-Agent"):
                for method, path in (("GET", "/me"), ("POST", "/logout")):
                    answer = await client.request(method, path, headers={name: value})
                    assert answer.status_code in {204, 400, 401}


async def test_sockets_are_not_spoken_to():
    world = World()
    sent = []

    async def receive():
        return {"type": "websocket.connect"}

    async def send(message):
        sent.append(message)

    scope = {**http_scope("/login"), "type": "websocket", "subprotocols": []}
    await world.routes(scope, receive, send)
    assert [message["type"] for message in sent] == ["websocket.close"]


@pytest.mark.parametrize("missing", ["pydantic", "starlette"])
def test_without_the_extra_the_sentence_says_what_to_install(missing):
    script = (
        "import sys\n"
        f"sys.modules[{missing!r}] = None\n"
        "try:\n"
        "    import asgi_auth.routes\n"
        "except ImportError as error:\n"
        "    print(type(error).__name__, error)\n"
    )
    run = subprocess.run(
        [sys.executable, "-c", script], check=True, capture_output=True, text=True
    )
    assert run.stdout.startswith(f"MissingExtraError AuthRoutes needs {missing}: ")
    assert 'python -m pip install "asgi-auth[routes]"' in run.stdout


def test_settings_that_do_not_fit_are_refused_with_a_sentence():
    from asgi_auth import ConfigurationError

    world = World()
    without_mail = World(accounts={"send_message": None, "require_verified": False})
    for options, word in (
        ({"delivery": "pigeon"}, "delivery"),
        ({"prefix": "auth"}, "prefix"),
        ({"prefix": "/auth/"}, "prefix"),
        ({"delivery": ["cookie"]}, "delivery"),
        ({"shape": RouteShape(include=["everything"])}, "everything"),
        ({"shape": RouteShape(include=["introspect"])}, "introspection_backend"),
        ({"shape": RouteShape(include=["jwks"])}, "key pairs"),
        ({"site": Site(trusted_proxies=["my proxy"])}, "trusted_proxies"),
    ):
        with pytest.raises(ConfigurationError, match=word):
            AuthRoutes(world.tokens, world.accounts, **options)
    with pytest.raises(ConfigurationError, match="send_message"):
        AuthRoutes(
            without_mail.tokens,
            without_mail.accounts,
            shape=RouteShape(include=["password_forgot"]),
        )
