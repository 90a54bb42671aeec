from __future__ import annotations

import asyncio
import gc
import subprocess
import sys
import time
from contextlib import suppress

import pytest

from asgi_auth.errors import (
    ConfigurationError,
    RateLimitedError,
    UnavailableError,
)
from asgi_auth.ratelimit import Limits
from asgi_auth.ratelimit.limiter import Limit, RateLimiter
from tests.stores.valkey import valkey_cluster, valkey_server


@pytest.fixture(scope="module")
def server():
    with valkey_server() as server:
        yield server


@pytest.fixture(params=["memory", "valkey"])
async def make(request):
    """Make limiters that count in one place."""
    made = []
    if request.param == "memory":
        url = "memory://"
    else:
        url = request.getfixturevalue("server").url.replace("redis://", "valkey://")

    def limiter(**options):
        name = request.node.name
        made.append(RateLimiter(url, prefix=f"t:{name}", limits=Limits(**options)))
        return made[-1]

    yield limiter
    for one in made:
        await one.aclose()


async def fill(limiter, rule, *key) -> int:
    """Consume until it is refused; return how often it was not."""
    for passed in range(200):
        try:
            await limiter.consume(rule, *key)
        except RateLimitedError:
            return passed
    raise AssertionError("no end")


async def test_the_limits_are_those_of_the_documentation(make):
    limiter = make()
    for rule, amount in (
        ("log_in", 5),
        ("log_in_address", 30),
        ("failures", 100),
        ("register", 3),
        ("reset", 3),
    ):
        assert await fill(limiter, rule, "somebody") == amount


async def test_a_refusal_says_when_to_come_back(make):
    limiter = make(log_in=Limit(1, 50))
    await limiter.consume("log_in", "a", "b")
    with pytest.raises(RateLimitedError) as caught:
        await limiter.consume("log_in", "a", "b")
    assert 45 <= caught.value.retry_after <= 50


async def test_a_limiter_without_limits_counts_nothing():
    limiter = RateLimiter(insecure_unlimited=True)
    for _ in range(2000):
        await limiter.consume("log_in", "a")
    await limiter.give_back("log_in", "a")
    await limiter.aclose()
    with pytest.raises(ConfigurationError, match="not both"):
        RateLimiter(limits=Limits(), insecure_unlimited=True)


async def test_a_window_ends(make):
    limiter = make(register=Limit(1, 1))
    assert await fill(limiter, "register", "a") == 1
    await asyncio.sleep(1.1)  # The time is the server's.
    await limiter.consume("register", "a")


async def test_keys_do_not_run_into_each_other(make):
    limiter = make(log_in=Limit(1, 60))
    for key in (("ab", "c"), ("a", "bc"), ("abc",), ("abc", ""), ("\ud800", "\0")):
        await limiter.consume("log_in", *key)
    await limiter.consume("register", "ab", "c")


async def test_of_many_at_once_exactly_the_limit_passes(make):
    limiter = make()
    results = await asyncio.gather(
        *(limiter.consume("log_in", "a") for _ in range(40)), return_exceptions=True
    )
    assert sum(result is None for result in results) == 5


async def test_a_try_that_was_none_is_taken_back(make):
    limiter = make(failures=Limit(2, 60))
    for _ in range(10):
        await limiter.consume("failures", "a")
        await limiter.give_back("failures", "a")
    assert await fill(limiter, "failures", "a") == 2


async def test_processes_share_the_counters_of_a_server(server):
    script = (
        "import asyncio, sys\n"
        "from asgi_auth.ratelimit.limiter import RateLimiter\n"
        f"limiter = RateLimiter({server.url!r}, prefix='shared')\n"
        "async def main():\n"
        "    for _ in range(3):\n"
        "        await limiter.consume('register', 'a')\n"
        "asyncio.run(main())\n"
    )
    run = await asyncio.to_thread(
        subprocess.run, [sys.executable, "-c", script], check=True, capture_output=True
    )
    assert run.stderr == b""
    limiter = RateLimiter(server.url, prefix="shared")
    with pytest.raises(RateLimitedError):
        await limiter.consume("register", "a")
    await limiter.aclose()


def test_a_limiter_serves_one_event_loop_after_another(server):
    for url in ("memory://", server.url):
        limiter = RateLimiter(url, prefix="loops")
        for _ in range(3):
            asyncio.run(limiter.consume("log_in", "a"))
    gc.collect()


async def test_keys_on_a_server_end_and_say_nothing(server):
    limiter = RateLimiter(server.url, prefix="quiet")
    await limiter.consume("log_in", "ann@example.com", "127.0.0.1")
    with server.client() as client:
        (key,) = client.keys("quiet*")
        assert 0 < client.ttl(key) <= 60
    assert "ann" not in key
    assert "127" not in key
    await limiter.aclose()


async def test_memory_is_bounded_and_a_flood_makes_nothing_be_forgotten():
    limiter = RateLimiter(max_keys=100, limits=Limits(log_in=Limit(3, 60)))
    assert await fill(limiter, "log_in", "victim") == 3
    for number in range(3000):
        with suppress(RateLimitedError):
            await limiter.consume("log_in", f"flood-{number}")
    storage = await limiter._counters._rooms.get()
    assert len(storage.storage) <= 100 + 1024
    with pytest.raises(RateLimitedError):
        await limiter.consume("log_in", "victim")


async def test_a_store_that_is_down_refuses_unless_it_is_asked_not_to():
    url = "redis://127.0.0.1:1/0"
    began = time.monotonic()
    with pytest.raises(UnavailableError):
        await RateLimiter(url).consume("log_in", "a")
    assert time.monotonic() - began < 10
    lenient = RateLimiter(url, insecure_pass_when_down=True)
    await lenient.consume("log_in", "a")
    await lenient.give_back("log_in", "a")
    await RateLimiter(url).give_back("log_in", "a")


async def test_a_server_that_hangs_is_down(server):
    limiter = RateLimiter(server.url, prefix="hang")
    await limiter.consume("log_in", "a")
    server.pause()
    try:
        began = time.monotonic()
        with pytest.raises(UnavailableError):
            await limiter.consume("log_in", "a")
        assert time.monotonic() - began < 10
    finally:
        server.resume()
    await limiter.consume("log_in", "a")
    await limiter.aclose()


@pytest.mark.parametrize(
    "url",
    [
        "",
        "memory",
        "memcached://localhost",
        "redis://host:port/x",
        "redis://host/abc",
        "async+redis://",
    ],
)
def test_urls_of_other_kinds_are_refused_and_never_quoted(url):
    with pytest.raises(ConfigurationError) as caught:
        RateLimiter(url)
    assert "RateLimiter" in str(caught.value)


@pytest.mark.parametrize("bad", [(0, 60), (1, 0), (1, 86_401)])
def test_a_limit_that_lets_nobody_in_is_refused(bad):
    with pytest.raises(ConfigurationError):
        Limit(*bad)


async def test_a_cluster_counts_as_one_server_does():
    with valkey_cluster() as cluster:
        limiter = RateLimiter(cluster.url, cluster=True)
        assert await fill(limiter, "register", "a") == 3
        assert await fill(limiter, "register", "b") == 3
        await limiter.aclose()


@pytest.mark.parametrize(
    ("missing", "url", "extra"),
    [
        ("limits", "memory://", "ratelimit"),
        ("redis", "redis://localhost", "redis"),
    ],
)
def test_what_is_not_installed_is_named_with_its_command(missing, url, extra):
    script = (
        "import sys\n"
        f"sys.modules[{missing!r}] = None\n"
        "from asgi_auth.ratelimit.limiter import RateLimiter\n"
        "try:\n"
        f"    RateLimiter({url!r})\n"
        "except ImportError as error:\n"
        "    print(error)\n"
    )
    run = subprocess.run(
        [sys.executable, "-c", script], check=True, capture_output=True, text=True
    )
    assert f'python -m pip install "asgi-auth[{extra}]"' in run.stdout


@pytest.mark.parametrize(
    ("url", "place"),
    [
        ("redis://cache/0", "cache:6379"),
        ("redis://:s3cret@cache", "cache:6379"),
        ("valkeys://u:a:b@[::1]/1", "[::1]:6379"),
        ("redis://cache:7000", "cache:7000"),
    ],
)
def test_a_url_without_a_port_means_the_usual_one(url, place):
    storage = RateLimiter(url)._counters._make()
    arguments = storage.bridge.storage.connection_pool.connection_kwargs
    host, _, port = place.rpartition(":")
    assert (arguments["host"], arguments["port"]) == (host.strip("[]"), int(port))
