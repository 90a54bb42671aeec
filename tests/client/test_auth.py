"""What goes out with which token, and what is done about the answer."""

from __future__ import annotations

import asyncio
import logging
import threading
import time

import pytest

from asgi_auth.client import LoggedOutError, RefreshFailedError, Tokens
from asgi_auth.errors import ConfigurationError
from tests.client.conftest import INVALID, ORIGIN, REFRESH, Bench

EVIL = "https://evil.example/"


def test_it_is_an_auth_of_its_library(bench):
    assert isinstance(bench.auth, bench.kit.library.Auth)


def test_the_token_goes_along(bench):
    with bench.client() as client:
        assert client.get("/notes").status_code == 200
    assert bench.api.seen == [("GET", f"{ORIGIN}/notes", "Bearer secret-a1")]
    assert bench.saved == []


def test_other_shells_may_use_the_plain_flow(bench):
    request = bench.kit.library.Request("GET", f"{ORIGIN}/notes")
    sent = next(bench.auth.auth_flow(request))
    assert sent.headers["authorization"] == "Bearer secret-a1"


def test_it_shows_where_it_refreshes_and_no_token(bench):
    assert repr(bench.auth) == f"BearerAuth({REFRESH!r})"


async def test_the_token_goes_along_with_asynchronous_requests(bench):
    async with bench.async_client() as client:
        assert (await client.get("/notes")).status_code == 200
    assert bench.api.seen == [("GET", f"{ORIGIN}/notes", "Bearer secret-a1")]


def test_an_ending_token_is_refreshed_first(bench):
    bench.clock.advance(870)
    with bench.client() as client:
        answer = client.get("/notes")
    assert answer.status_code == 200
    assert answer.history == []
    assert bench.api.paths() == ["/auth/refresh", "/notes"]
    assert bench.saved == [bench.auth.tokens]
    assert bench.auth.tokens.expires_at == bench.clock() + 900


async def test_an_ending_token_is_refreshed_first_by_asynchronous_requests(bench):
    bench.clock.advance(9000)
    async with bench.async_client() as client:
        assert (await client.get("/notes")).status_code == 200
    assert bench.api.paths() == ["/auth/refresh", "/notes"]


def test_an_invalid_token_is_refreshed_and_the_request_repeated(bench):
    bench.auth.replace(Tokens("revoked", "secret-r1"))
    with bench.client() as client:
        answer = client.post("/notes", json={"text": "x"})
    assert answer.status_code == 200
    assert bench.api.paths() == ["/notes", "/auth/refresh", "/notes"]
    assert bench.api.bodies == [b'{"text":"x"}'] * 2


async def test_an_invalid_token_is_refreshed_by_asynchronous_requests(bench):
    bench.auth.replace(Tokens("revoked", "secret-r1"))
    async with bench.async_client() as client:
        answer = await client.post("/notes", content=b"abc")
    assert answer.status_code == 200
    assert bench.api.paths() == ["/notes", "/auth/refresh", "/notes"]
    assert bench.api.bodies == [b"abc"] * 2


@pytest.mark.parametrize(
    "refusal",
    [
        (401, {}),
        (401, {"www-authenticate": "Bearer"}),
        (401, {"www-authenticate": 'DPoP error="invalid_token"'}),
        (401, {"www-authenticate": 'Basic realm="x"'}),
        (403, INVALID),
        (500, INVALID),
    ],
)
def test_other_refusals_are_the_callers(bench, refusal):
    bench.auth.replace(Tokens("other", "secret-r1"))
    bench.api.refusal = refusal
    with bench.client() as client:
        assert client.get("/notes").status_code == refusal[0]
    assert bench.api.paths() == ["/notes"]


def test_a_request_is_repeated_once(bench):
    bench.auth.replace(Tokens("revoked", "secret-r1"))
    refresh = bench.api.refresh

    def change_nothing(request):
        answer = refresh(request)
        bench.api.number = 7  # No token that it gave is good.
        return answer

    bench.api.refresh = change_nothing
    with bench.client() as client:
        assert client.get("/notes").status_code == 401
        assert bench.api.paths() == ["/notes", "/auth/refresh", "/notes"]
        assert client.get("/notes").status_code == 401
    assert bench.api.refreshes == 1


def parts():
    yield b"a"
    yield b"b"


class Readable:
    """Like a file: what is read is gone."""

    def __init__(self) -> None:
        self.parts = [b"a", b"b"]

    def __iter__(self):
        while self.parts:
            yield self.parts.pop(0)


@pytest.mark.parametrize("content", [parts, Readable])
def test_a_stream_is_not_repeated_but_the_next_request_has_a_new_token(bench, content):
    bench.auth.replace(Tokens("revoked", "secret-r1"))
    with bench.client() as client:
        assert client.post("/notes", content=content()).status_code == 401
        assert bench.api.paths() == ["/notes"]
        assert client.post("/notes", content=content()).status_code == 200
    assert bench.api.paths() == ["/notes", "/auth/refresh", "/notes"]
    assert bench.api.bodies == [b"ab"] * 2


async def test_an_asynchronous_stream_is_not_repeated(bench):
    async def stream():
        yield b"a"

    bench.auth.replace(Tokens("revoked", "secret-r1"))
    async with bench.async_client() as client:
        assert (await client.post("/notes", content=stream())).status_code == 401
    assert bench.api.paths() == ["/notes"]


@pytest.mark.parametrize(
    "url",
    [
        EVIL,
        "http://api.example/notes",
        "https://api.example:8443/notes",
        "https://sub.api.example/notes",
        "https://api.example.evil.example/notes",
        "https://api.example@evil.example/",
        "https://evil.example/?https://api.example/",
        "https://api.example./notes",
    ],
)
def test_no_other_origin_sees_the_token(bench, url):
    bench.clock.advance(9000)
    with bench.client() as client:
        client.get(url)
    assert len(bench.api.seen) == 1
    assert "secret" not in str(bench.api.seen)


async def test_no_other_origin_sees_the_token_of_asynchronous_requests(bench):
    async with bench.async_client() as client:
        assert (await client.get(EVIL)).status_code == 401
    assert bench.api.seen == [("GET", EVIL, None)]


@pytest.mark.parametrize(
    "url", ["https://api.example:443/notes", "HTTPS://API.example/notes"]
)
def test_one_origin_has_several_spellings(bench, url):
    with bench.client() as client:
        assert client.get(url).status_code == 200


def test_other_origins_are_named(kit):
    bench = Bench(kit, origins=["https://files.example/any/path"])
    with bench.client() as client:
        assert client.get("https://files.example/1").status_code == 200
        assert client.get("https://other.example/1").status_code == 401


def test_a_redirect_to_another_origin_goes_without(bench):
    bench.api.redirects[f"{ORIGIN}/away"] = (307, EVIL)
    with bench.client(follow_redirects=True) as client:
        assert client.get("/away").status_code == 401
    # That it calls the token invalid, which it never got, causes no refresh.
    assert bench.api.seen == [
        ("GET", f"{ORIGIN}/away", "Bearer secret-a1"),
        ("GET", EVIL, None),
    ]


def test_a_refusal_of_what_had_no_token_causes_no_refresh(kit):
    bench = Bench(kit, origins=["https://files.example"])
    bench.api.redirects[f"{ORIGIN}/file"] = (307, "https://files.example/1")
    with bench.client(follow_redirects=True) as client:
        assert client.get("/file").status_code == 401
    assert bench.api.seen[1:] == [("GET", "https://files.example/1", None)]
    assert bench.auth.tokens.access_token == "secret-a1"


def test_a_refusal_by_another_origin_causes_no_refresh(kit):
    bench = Bench(kit)
    auth = kit.BearerAuth(
        "http://localhost/auth/refresh", bench.auth.tokens, clock=bench.clock
    )
    # The client takes a token along to the https of the same host.
    bench.api.redirects["http://localhost/notes"] = (307, "https://localhost/notes")
    bench.api.number = 2
    with bench.client(follow_redirects=True) as client:
        answer = client.get("http://localhost/notes", auth=auth)
    assert answer.status_code == 401
    assert bench.api.seen[1:] == [
        ("GET", "https://localhost/notes", "Bearer secret-a1")
    ]
    assert auth.tokens is bench.auth.tokens


def test_a_token_that_was_dropped_meanwhile_is_no_token(bench):
    bench.auth.replace(Tokens("revoked", "secret-r1"))
    request = bench.kit.library.Request("GET", f"{ORIGIN}/notes")
    flow = bench.auth.sync_auth_flow(request)
    sent = next(flow)
    with bench.client() as client:
        assert client.post("/notes", content=parts()).status_code == 401

    refusal = bench.api.answer(401, headers=INVALID, request=sent)
    assert flow.send(refusal).headers["authorization"] == "Bearer secret-a2"


def test_what_has_worked_before_a_redirect_is_not_repeated(bench):
    bench.auth.replace(Tokens("revoked", "secret-r1"))
    bench.api.redirects[f"{ORIGIN}/orders"] = (303, f"{ORIGIN}/orders/1")
    with bench.client(follow_redirects=True) as client:
        assert client.post("/orders", content=b"x").status_code == 200
    methods = [(method, url.removeprefix(ORIGIN)) for method, url, _ in bench.api.seen]
    assert methods == [
        ("POST", "/orders"),
        ("GET", "/orders/1"),
        ("POST", "/auth/refresh"),
        ("GET", "/orders/1"),
    ]


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_redirected_request_is_repeated_where_it_was_refused(bench, method):
    bench.auth.replace(Tokens("revoked", "secret-r1"))
    bench.api.redirects[f"{ORIGIN}/notes"] = (307, f"{ORIGIN}/notes/")
    with bench.client(follow_redirects=True) as client:
        assert client.request(method, "/notes", content=b"x").status_code == 200
    assert bench.api.paths() == ["/notes", "/notes/", "/auth/refresh", "/notes/"]
    assert bench.api.bodies == [b"x"] * 2


def test_a_stream_that_a_redirect_has_dropped_is_no_hindrance(bench):
    bench.auth.replace(Tokens("revoked", "secret-r1"))
    bench.api.redirects[f"{ORIGIN}/notes"] = (303, f"{ORIGIN}/notes/")
    with bench.client(follow_redirects=True) as client:
        assert client.put("/notes", content=parts()).status_code == 200
    assert bench.api.paths()[-1] == "/notes/"


@pytest.mark.parametrize("status", [302, 307, 308])
def test_no_redirect_gets_the_refresh_token(bench, status):
    bench.api.redirects[REFRESH] = (status, EVIL)
    bench.sender.follow_redirects = True
    bench.clock.advance(9000)
    with (
        bench.client(follow_redirects=True) as client,
        pytest.raises(RefreshFailedError),
    ):
        client.get("/notes")
    assert bench.api.paths() == ["/auth/refresh"]


def test_a_refused_refresh_token_logs_out(bench):
    bench.auth.replace(Tokens(None, "secret-stolen"))
    with bench.client() as client:
        with pytest.raises(LoggedOutError, match="refused"):
            client.get("/notes")
        assert bench.auth.tokens is None
        assert bench.saved == [None]
        with pytest.raises(LoggedOutError, match="log in first"):
            client.get("/notes")
        assert bench.api.paths() == ["/auth/refresh"]

        bench.auth.replace(Tokens("secret-a1", "secret-r1"))
        assert client.get("/notes").status_code == 200


def test_a_log_in_goes_without_a_token(kit):
    bench = Bench(kit)
    bench.auth.replace(None)
    with bench.client() as client:
        client.get("/login", auth=None)
    assert bench.api.seen == [("GET", f"{ORIGIN}/login", None)]


def fail_to_connect(request):
    raise OSError("secret-r1 cannot be sent")


def server_error(request):
    return bench_answer(request, 503)


def bench_answer(request, status):
    module = __import__(type(request).__module__.partition(".")[0])
    return module.Response(status, content=b"secret-page")


def too_long(request):
    module = __import__(type(request).__module__.partition(".")[0])
    return module.Response(200, content=b"x" * 70_000)


faults = pytest.mark.parametrize("fault", [fail_to_connect, server_error, too_long])


@faults
def test_a_refresh_that_fails_loses_nothing(bench, fault):
    before = bench.auth.tokens
    bench.clock.advance(901)
    bench.api.fault = fault
    with bench.client() as client:
        with pytest.raises(RefreshFailedError) as caught:
            client.get("/notes")
        assert "secret" not in str(caught.value) + repr(caught.value)
        assert bench.auth.tokens is before
        assert bench.saved == []

        bench.api.fault = None
        assert client.get("/notes").status_code == 200


@faults
async def test_a_living_token_is_used_while_the_endpoint_is_down(bench, fault):
    bench.clock.advance(880)
    bench.api.fault = fault
    async with bench.async_client() as client:
        for _ in range(3):
            assert (await client.get("/notes")).status_code == 200
        assert bench.api.refreshes == 1  # The next try may wait a little.
        bench.clock.advance(6)
        assert (await client.get("/notes")).status_code == 200
        assert bench.api.refreshes == 2


def test_the_answer_is_an_error_if_a_refused_token_cannot_be_refreshed(bench):
    bench.auth.replace(Tokens("revoked", "secret-r1"))
    bench.api.fault = server_error
    with bench.client() as client, pytest.raises(RefreshFailedError, match="503"):
        client.get("/notes")
    assert bench.auth.tokens.refresh_token == "secret-r1"


def test_tokens_that_cannot_be_saved_are_used_all_the_same(kit, caplog):
    def save(tokens):
        raise OSError(f"disk full at {tokens.access_token}")

    bench = Bench(kit, save=save)
    bench.clock.advance(901)
    with bench.client() as client:
        assert client.get("/notes").status_code == 200
        assert client.get("/notes").status_code == 200
    assert bench.api.refreshes == 1
    assert "tokens were not saved: OSError" in caplog.text
    assert "secret" not in caplog.text


async def test_an_asynchronous_save_runs_in_the_loop_of_the_request(kit):
    saved = []

    async def save(tokens):
        await asyncio.sleep(0)
        saved.append((asyncio.get_running_loop(), tokens))

    bench = Bench(kit, save=save)
    bench.clock.advance(901)
    async with bench.async_client() as client:
        assert (await client.get("/notes")).status_code == 200
    assert saved == [(asyncio.get_running_loop(), bench.auth.tokens)]


def test_tokens_are_saved_before_they_are_used(kit):
    paths = []
    bench = Bench(kit, save=lambda tokens: paths.extend(bench.api.paths()))
    bench.clock.advance(901)
    with bench.client() as client:
        client.get("/notes")
    assert paths == ["/auth/refresh"]


def test_an_asynchronous_save_needs_asynchronous_requests(kit):
    async def save(tokens):
        raise AssertionError

    bench = Bench(kit, save=save)
    bench.clock.advance(901)
    with bench.client() as client, pytest.raises(ConfigurationError, match="asyncio"):
        client.get("/notes")
    assert bench.api.seen == []  # No token was spent.


def test_an_asynchronous_client_cannot_refresh_for_others(kit):
    with pytest.raises(ConfigurationError, match="Client"):
        Bench(kit, client=object())
    bench = Bench(kit)
    sender = kit.library.AsyncClient(transport=bench.api.transport)
    bench = Bench(kit, client=sender)
    bench.clock.advance(901)
    with bench.client() as client, pytest.raises(ConfigurationError, match="asyncio"):
        client.get("/notes")


async def test_the_client_may_refresh_by_itself(kit):
    async with kit.library.AsyncClient(base_url=ORIGIN) as client:
        bench = Bench(kit, client=client)
        client._transport = bench.api.transport
        client.auth = bench.auth
        bench.clock.advance(901)
        answers = await asyncio.gather(*(client.get("/notes") for _ in range(20)))
    assert {answer.status_code for answer in answers} == {200}
    assert bench.api.refreshes == 1


def wait_until(condition):
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def test_who_waits_gives_up_but_the_tokens_come(kit):
    bench = Bench(kit, timeout=0.05)
    go = threading.Event()
    bench.clock.advance(901)

    def late(request):
        go.wait(5)
        bench.api.number += 1
        return bench.api.answer(200, json=bench.api.pair())

    bench.api.fault = late
    with bench.client() as client:
        with pytest.raises(RefreshFailedError, match="in time"):
            client.get("/notes")
        go.set()
        wait_until(lambda: bench.saved)
        assert client.get("/notes").status_code == 200
    assert bench.api.refreshes == 1


async def test_a_log_in_during_a_refresh_wins(bench):
    go, asked = threading.Event(), threading.Event()
    bench.clock.advance(901)

    def late(request):
        asked.set()
        go.wait(5)
        return bench.api.answer(200, json={"access_token": "secret-of-the-old-user"})

    bench.api.fault = late
    async with bench.async_client() as client:
        waiting = asyncio.create_task(client.get("/notes"))
        assert await asyncio.to_thread(asked.wait, 5)
        bench.auth.replace(Tokens("secret-a1", "secret-r1"))
        go.set()
        assert (await waiting).status_code == 200
    assert bench.auth.tokens.access_token == "secret-a1"
    assert bench.saved == []


async def test_a_fresh_token_is_had_without_a_request(bench):
    assert bench.auth.fresh_token() == "secret-a1"
    bench.clock.advance(901)
    assert await bench.auth.afresh_token() == "secret-a2"
    bench.clock.advance(901)
    assert bench.auth.fresh_token() == "secret-a3"
    bench.auth.replace(None)
    with pytest.raises(LoggedOutError):
        await bench.auth.afresh_token()


def test_without_any_usable_token_one_has_to_log_in(bench):
    bench.auth.replace(Tokens())
    with bench.client() as client, pytest.raises(LoggedOutError):
        client.get("/notes")


@pytest.mark.parametrize("anyio_backend", ["trio"])
async def test_requests_on_trio_wait_for_a_refresh(kit, anyio_backend):
    import anyio

    bench = Bench(kit)
    bench.clock.advance(901)
    found = []

    async def get(client):
        found.append((await client.get("/notes")).status_code)

    async with bench.async_client() as client, anyio.create_task_group() as tasks:
        for _ in range(20):
            tasks.start_soon(get, client)
    assert found == [200] * 20
    assert bench.api.refreshes == 1


@pytest.mark.parametrize(
    "options",
    [
        {"timeout": 0},
        {"skew": -1},
        {"origins": "https://api.example"},
        {"origins": ["http://api.example"]},
    ],
)
def test_wrong_settings_are_told_at_once(kit, options):
    with pytest.raises(ConfigurationError):
        Bench(kit, **options)


def test_no_token_is_logged_or_shown(bench, caplog):
    caplog.set_level(logging.DEBUG)
    bench.clock.advance(901)
    with bench.client() as client:
        client.get("/notes")
    bench.auth.replace(Tokens("revoked-secret", "secret-stolen"))
    with bench.client() as client, pytest.raises(LoggedOutError) as caught:
        client.get("/notes")
    shown = caplog.text + repr(bench.auth) + repr(bench.auth._renewer)
    assert "secret" not in shown + str(caught.value) + repr(caught.value.__cause__)
