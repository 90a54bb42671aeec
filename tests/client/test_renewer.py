"""What may go wrong around a refresh that many requests share."""

from __future__ import annotations

import asyncio
import threading

import pytest

from asgi_auth.client import LoggedOutError, RefreshFailedError, Tokens
from tests.client.conftest import Bench


@pytest.fixture
def expired(bench):
    bench.clock.advance(901)
    return bench


def test_who_comes_late_gets_what_is_there(bench):
    renewer, old = bench.auth._renewer, bench.auth.tokens
    new = Tokens("secret-a2", "secret-r2")
    bench.auth.replace(new)
    assert renewer.renew(old) is new
    renewer.drop(old)
    assert bench.auth.tokens is new
    assert bench.api.seen == []


def test_who_comes_after_the_end_has_to_log_in(bench):
    old = bench.auth.tokens
    bench.auth.replace(None)
    with pytest.raises(LoggedOutError):
        bench.auth._renewer.renew(old)


def test_a_log_out_during_a_refresh_wins(expired):
    def log_out(request):
        expired.auth.replace(None)
        return expired.api.answer(200, json={"access_token": "too-late"})

    expired.api.fault = log_out
    with expired.client() as client, pytest.raises(LoggedOutError):
        client.get("/notes")
    assert expired.auth.tokens is None
    assert expired.saved == []


def test_a_log_in_survives_the_refusal_of_the_old_tokens(expired):
    new = Tokens("secret-a1", "secret-r1")

    def refuse(request):
        expired.auth.replace(new)
        return expired.api.answer(400, json={"error": "invalid_grant"})

    expired.api.fault = refuse
    with expired.client() as client:
        assert client.get("/notes").status_code == 200
    assert expired.auth.tokens is new
    assert expired.saved == []


def test_a_log_in_survives_the_failure_of_the_old_refresh(expired):
    new = Tokens("secret-a1", "secret-r1")

    def fail(request):
        expired.auth.replace(new)
        return expired.api.answer(500)

    expired.api.fault = fail
    with expired.client() as client:
        with pytest.raises(RefreshFailedError):
            client.get("/notes")
        assert client.get("/notes").status_code == 200


def test_tokens_that_are_being_saved_can_be_used(kit):
    go = threading.Event()
    bench = Bench(kit, timeout=0.1, save=lambda tokens: go.wait(10))
    bench.clock.advance(901)
    with bench.client() as client:
        assert client.get("/notes").status_code == 200
    go.set()


def test_a_refresh_that_cannot_begin_is_told_and_tried_again(expired, monkeypatch):
    start = threading.Thread.start

    def refuse(thread):
        if thread.name != "asgi-auth-refresh":  # Others begin threads meanwhile.
            return start(thread)

        raise RuntimeError("can't start new thread")

    with expired.client() as client:
        with monkeypatch.context() as patch:
            patch.setattr(threading.Thread, "start", refuse)
            with pytest.raises(RefreshFailedError, match="thread"):
                client.get("/notes")
        assert client.get("/notes").status_code == 200


def test_a_hidden_coroutine_cannot_save_without_a_loop(kit, caplog):
    async def save(tokens):
        raise AssertionError

    bench = Bench(kit, save=lambda tokens: save(tokens))  # noqa: PLW0108
    bench.clock.advance(901)
    with bench.client() as client:
        assert client.get("/notes").status_code == 200
    assert "not saved: ConfigurationError" in caplog.text


def test_an_event_loop_that_ends_does_not_take_the_tokens_along(kit, caplog):
    go = threading.Event()

    async def save(tokens):
        raise AssertionError

    bench = Bench(kit, save=save)
    bench.clock.advance(901)
    refresh = bench.api.refresh

    def late(request):
        go.wait(10)
        return refresh(request)

    bench.api.refresh = late

    async def leave():
        async with bench.async_client() as client:
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(client.get("/notes"), 0.05)

    asyncio.run(leave())
    threads = [t for t in threading.enumerate() if t.name == "asgi-auth-refresh"]
    go.set()
    for thread in threads:
        thread.join(10)
    assert bench.auth.tokens.access_token == "secret-a2"
    assert "not saved: RuntimeError" in caplog.text


def test_a_save_that_hangs_in_its_loop_is_left_behind(kit, caplog):
    async def save(tokens):
        await asyncio.sleep(60)

    bench = Bench(kit, save=save, timeout=0.1)
    bench.clock.advance(901)

    async def get():
        async with bench.async_client() as client:
            assert (await client.get("/notes")).status_code == 200
            while "not saved" not in caplog.text:
                await asyncio.sleep(0.01)

    asyncio.run(get())
    assert "not saved: TimeoutError" in caplog.text
