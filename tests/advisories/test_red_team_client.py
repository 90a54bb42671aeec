"""What the red team found in the client."""

from __future__ import annotations

import contextlib
import json
import os
import threading
import time
import warnings

import httpx2
import pytest

from asgi_auth.client import RefreshFailedError, Tokens
from asgi_auth.client.challenges import parse_challenges
from asgi_auth.client.httpx2 import BearerAuth

pytestmark = pytest.mark.anyio


# ------------------------------------------------------------------------- the client


REFRESH = "https://api.example/refresh"
STALE = Tokens("old", "first", expires_at=1.0, lifetime=900)
FRESH = b'{"access_token":"new","refresh_token":"second","expires_in":900}'


class World:
    """A server that answers refreshes as told, the last answer again and again."""

    def __init__(self, *answers, pause=None):
        self.answers = [*answers] or [FRESH]
        self.asked = []
        self.seen = []
        self.pause = pause

    def __call__(self, request):
        if str(request.url) == REFRESH:
            self.asked.append(json.loads(request.content)["refresh_token"])
            if self.pause is not None:
                self.pause()
            body = self.answers[min(len(self.asked), len(self.answers)) - 1]
            return httpx2.Response(200, content=body)

        self.seen.append((str(request.url), request.headers.get("authorization")))
        return httpx2.Response(200, text=self.seen[-1][1] or "-")

    def client(self, **options):
        return httpx2.Client(transport=httpx2.MockTransport(self), **options)

    def signed_in(self, tokens=STALE, **options):
        auth = BearerAuth(REFRESH, tokens, client=self.client(), **options)
        return self.client(auth=auth)


ANSWERS = [
    b'{"access_token":"new","expires_in":1' + b"0" * 400 + b"}",
    b'{"access_token":"new","expires_in":-1' + b"0" * 400 + b"}",
    b'{"access_token":"new","expires_in":' + b"9" * 5000 + b"}",
    b'{"access_token":"new","expires_in":"' + b"9" * 5000 + b'"}',
    b'{"access_token":"new","expires_in":NaN}',
    b'{"access_token":"new","token_type":["bearer"]}',
    b'{"access_token":"eyJhbGciOiJIUzI1NiJ9.eyJleHAiOjFlOTk5LCJpYXQiOi0xfQ.c2ln"}',
    b"[" * 100_000,
    b"\xff\xfe",
]


def test_no_answer_to_a_refresh_is_the_end_of_all_requests():
    for answer in ANSWERS:
        world = World(answer, FRESH)
        with world.signed_in() as client:
            for _ in range(2):
                with contextlib.suppress(RefreshFailedError):
                    client.get("https://api.example/")

            assert client.get("https://api.example/").text.startswith("Bearer ")


def test_a_bug_behind_a_refresh_is_told_and_tried_again():
    world, broken = World(), [True, True]

    def clock():
        if threading.current_thread().name == "asgi-auth-refresh" and broken:
            broken.pop()
            raise ZeroDivisionError
        return 100.0

    auth = BearerAuth(REFRESH, STALE, client=world.client(), clock=clock)
    with pytest.raises((RefreshFailedError, ZeroDivisionError)):
        auth.fresh_token()

    broken.clear()
    assert auth.fresh_token() == "new"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="platform: there is no fork")
def test_a_fork_during_a_refresh_leaves_the_child_able_to_refresh():
    begun, go_on = threading.Event(), threading.Event()

    def pause():
        begun.set()
        go_on.wait(5)

    world = World(pause=pause)
    client = world.signed_in(timeout=2)
    waiting = threading.Thread(target=client.get, args=("https://api.example/",))
    waiting.start()
    assert begun.wait(5)
    child = _fork(lambda: (go_on.set(), client.get("https://api.example/").text)[1])
    go_on.set()
    waiting.join()

    assert child == "Bearer new"
    assert client.get("https://api.example/").text == "Bearer new"


def _fork(work):
    """Return the text that *work* returns in a child of this process."""
    reader, writer = os.pipe()
    with warnings.catch_warnings():
        # Of threads that a child lacks: that is what it is about.
        warnings.simplefilter("ignore", DeprecationWarning)
        pid = os.fork()

    if pid == 0:  # pragma: no cover - it is another process
        try:
            os.write(writer, str(work()).encode())
        except BaseException as error:  # noqa: BLE001
            os.write(writer, repr(error).encode())
        finally:
            os._exit(0)

    os.close(writer)
    with os.fdopen(reader, "rb") as told:
        text = told.read().decode()
    os.waitpid(pid, 0)
    return text


def test_a_save_that_makes_a_request_itself_does_not_wait_for_itself():
    world, saved = World(), []

    def save(tokens):
        saved.append(client.get("https://api.example/save").text)

    client = world.signed_in(save=save, timeout=30)
    started = time.monotonic()

    assert client.get("https://api.example/").text == "Bearer new"
    assert saved == ["Bearer new"]
    assert world.asked == ["first"]
    assert time.monotonic() - started < 10


async def test_an_asynchronous_save_that_makes_a_request_does_not_wait_for_itself():
    world, saved = World(), []

    async def save(tokens):
        saved.append((await client.get("https://api.example/save")).text)
        saved.append(await auth.afresh_token())

    auth = BearerAuth(REFRESH, STALE, client=world.client(), save=save, timeout=30)
    client = httpx2.AsyncClient(transport=httpx2.MockTransport(world), auth=auth)

    assert (await client.get("https://api.example/")).text == "Bearer new"
    assert saved == ["Bearer new", "new"]


def test_a_save_after_the_end_of_a_log_in_can_make_no_requests_and_says_so():
    raised = []

    def answer(request):
        return httpx2.Response(400, json={"error": "invalid_grant"})

    def save(tokens):
        try:
            client.get("https://api.example/")
        except Exception as error:  # noqa: BLE001
            raised.append(type(error).__name__)

    bare = httpx2.Client(transport=httpx2.MockTransport(answer))
    auth = BearerAuth(REFRESH, STALE, client=bare, save=save, timeout=30)
    client = httpx2.Client(transport=httpx2.MockTransport(answer), auth=auth)

    with pytest.raises(Exception, match="log in again"):
        client.get("https://api.example/")
    assert raised == ["LoggedOutError"]


FOREIGN = [
    "https://api.example.evil.example/",
    "https://api.example@evil.example/",
    "https://api.example:pw@evil.example/",
    "https://evil.example#@api.example/",
    "https://evil.example?@api.example/",
    "https://evil.example/https://api.example/",
    "https://api.example:8443/",
    "http://api.example/",
    "http://api.example:443/",
    "https://api.example./",
    "https://api.example%2eevil.example/",
    "https://api.example%00.evil.example/",
    "https://api.example\\.evil.example/",
    "https://evil.example\\@api.example:444/",
    "https://xn--api-xyz.example/",
]


def test_no_spelling_of_another_origin_gets_the_token():
    for url in FOREIGN:
        world = World()
        strange = contextlib.suppress(httpx2.InvalidURL, UnicodeError)
        with world.signed_in() as client, strange:
            client.get(url)

        assert [sent for _, sent in world.seen if sent is not None] == []
        assert world.asked == []


@pytest.mark.parametrize(
    "place",
    [
        "//evil.example/",
        "https://api.example@evil.example/",
        "http://api.example/",
        "https://api.example:444/",
    ],
)
def test_no_redirect_takes_the_token_along(place):
    seen = []

    def server(request):
        seen.append(request.headers.get("authorization"))
        if len(seen) == 1:
            return httpx2.Response(307, headers={"location": place})
        fields = {"www-authenticate": 'Bearer error="invalid_token"'}
        return httpx2.Response(401, headers=fields)

    living = Tokens("living", "first", expires_at=time.time() + 900, lifetime=900)
    bare = httpx2.Client(transport=httpx2.MockTransport(server))
    auth = BearerAuth(REFRESH, living, client=bare)
    with httpx2.Client(
        transport=httpx2.MockTransport(server), auth=auth, follow_redirects=True
    ) as client:
        assert client.post("https://api.example/", json={}).status_code == 401

    assert seen == ["Bearer living", None]


def test_a_request_that_changes_something_is_sent_twice_at_most():
    posts = []

    def server(request):
        if str(request.url) == REFRESH:
            return httpx2.Response(200, content=FRESH)
        posts.append(request.headers["authorization"])
        fields = {"www-authenticate": 'Bearer error="invalid_token"'}
        return httpx2.Response(401, headers=fields)

    living = Tokens("living", "first", expires_at=time.time() + 900, lifetime=900)
    bare = httpx2.Client(transport=httpx2.MockTransport(server))
    auth = BearerAuth(REFRESH, living, client=bare)
    with httpx2.Client(transport=httpx2.MockTransport(server), auth=auth) as client:
        for _ in range(5):
            client.post("https://api.example/", json={})

    assert posts == ["Bearer living", *["Bearer new"] * 5]


LONG = [
    "a " + "b" * 8000 + " x",
    'Bearer a="' + "\\" * 8000,
    'Bearer a="' + '\\"' * 4000,
    "Bearer" + " " * 8000 + "!",
    "Bearer a" + " " * 8000 + "=",
    "," * 8000 + "(",
    ", \t" * 2600 + "(",
    "a=" * 4000,
    "a " + "=" * 8000,
    "x a=1," * 1300 + "(",
    "Bearer " + "a" * 4000 + "=" * 4000 + "x",
]


def test_no_challenge_takes_long_to_read():
    for text in LONG:
        started = time.process_time()
        with contextlib.suppress(ValueError):
            parse_challenges(text)

        assert time.process_time() - started < 0.25


def test_a_failed_refresh_shows_no_token_in_any_error_of_the_chain():
    def server(request):
        raise httpx2.ConnectError(str(request.url), request=request)

    secret = Tokens("access-secret", "refresh-secret", expires_at=1.0, lifetime=9)
    bare = httpx2.Client(transport=httpx2.MockTransport(server))
    auth = BearerAuth(REFRESH, secret, client=bare)
    with pytest.raises(RefreshFailedError) as failed:
        auth.fresh_token()

    error, texts = failed.value, [repr(auth), repr(secret)]
    while error is not None:
        texts += [str(error), repr(error), *map(repr, vars(error).values())]
        error = error.__cause__ or error.__context__
    assert "secret" not in "".join(texts)
