"""When keys are fetched, how often, and for how long they are used."""

from __future__ import annotations

import asyncio

import pytest

from asgi_auth import (
    UnavailableError,
)
from asgi_auth.keys._bucket import TokenBucket
from asgi_auth.keys.jwks import JWKSClient
from asgi_auth.testing.clock import FakeClock
from tests.idp.issuer import new_key, public
from tests.keys.jwks_world import body, settle


async def test_the_first_caller_gets_the_keys_of_the_issuer(client, realm):
    keys = await client.ready()
    assert realm.key.kid in keys
    assert client.stats()[:4] == (1, 0, 1, 0)


async def test_fifty_callers_at_once_make_one_request(client, realm):
    realm.delay = 0.1
    found = await asyncio.gather(*(client.ready() for _ in range(50)))
    assert realm.fetches == 1
    assert len({id(keys) for keys in found}) == 1


async def test_a_key_that_a_fetch_under_way_brings_is_not_fetched_again(client, realm):
    realm.delay = 0.1
    first = asyncio.create_task(client.ready())
    await asyncio.sleep(0.02)
    await client.seek(realm.key.kid, "ES256")
    assert first.done() or await first
    assert realm.fetches == 1


async def test_who_is_cancelled_does_not_take_the_others_along(client, realm):
    realm.delay = 0.1
    waiting = [asyncio.create_task(client.ready()) for _ in range(3)]
    await asyncio.sleep(0.02)
    waiting[0].cancel()
    found = await asyncio.gather(*waiting, return_exceptions=True)
    assert isinstance(found[0], asyncio.CancelledError)
    assert found[1] is found[2]
    assert realm.fetches == 1


async def test_keys_are_fetched_anew_in_the_background(client, realm, clock):
    keys = await client.ready()
    realm.rotate()
    realm.delay = 0.2
    clock.advance(601)
    assert await client.ready() is keys
    assert realm.key.kid not in keys
    await settle(client)
    assert realm.key.kid in keys
    assert realm.fetches == 2


async def test_fresh_keys_are_not_asked_for(client, realm, clock):
    await client.ready()
    clock.advance(599)
    assert client.is_fresh()
    await client.ready()
    assert realm.fetches == 1


async def test_the_same_answer_keeps_what_is_cached_of_tokens(client, realm, clock):
    keys = await client.ready()
    generation = keys.generation
    clock.advance(601)
    await client.ready()
    await settle(client)
    assert realm.fetches == 2
    assert keys.generation == generation


async def test_a_rotated_key_is_there_at_its_first_use(client, realm):
    keys = await client.ready()
    realm.rotate()
    await client.seek(realm.key.kid, "ES256")
    assert realm.key.kid in keys
    assert realm.fetches == 2


async def test_a_hundred_unknown_kids_cost_two_requests(client, realm):
    await client.ready()
    for number in range(100):
        await client.seek(f"unknown-{number}", "ES256")
    assert realm.fetches == 3


async def test_a_hundred_unknown_kids_at_once_cost_two_requests(client, realm):
    await client.ready()
    realm.delay = 0.05
    await asyncio.gather(*(client.seek(f"no-{n}", "ES256") for n in range(100)))
    assert realm.fetches <= 3


async def test_under_a_flood_a_rotated_key_is_there_within_30_s(client, realm, clock):
    keys = await client.ready()
    for number in range(100):
        await client.seek(f"unknown-{number}", "ES256")
    realm.rotate()
    waited = 0.0
    while realm.key.kid not in keys:
        clock.advance(0.5)
        waited += 0.5
        await client.seek(f"flood-{waited}", "ES256")
        await client.seek(realm.key.kid, "ES256")
    assert waited <= 30
    assert realm.fetches == 4


async def test_a_key_published_during_a_request_is_found_by_the_next():
    old, new = new_key(), new_key()
    published, go_on, requests = [public(old)], asyncio.Event(), 0

    async def fetch(url, headers, content):
        nonlocal requests
        requests += 1
        answer = body(*published)
        if requests == 2:
            await go_on.wait()
        return 200, {}, answer

    client = JWKSClient("https://idp.example/jwks", fetch=fetch)
    keys = await client.ready()
    early = asyncio.create_task(client.seek("unknown", "ES256"))
    await asyncio.sleep(0.01)
    published.append(public(new))
    late = asyncio.create_task(client.seek(new.kid, "ES256"))
    await asyncio.sleep(0.01)
    go_on.set()
    await asyncio.gather(early, late)
    assert new.kid in keys
    assert requests == 3


async def test_known_keys_go_on_through_an_hour_of_outage(client, realm, clock):
    keys = await client.ready()
    realm.fault = "500"
    for _ in range(60):
        clock.advance(60)
        assert await client.ready() is keys
        await settle(client)
    assert 5 < client.stats().failures <= 120
    with pytest.raises(UnavailableError):
        await client.seek("unknown", "ES256")
    realm.fault = None
    clock.advance(60)
    await client.ready()
    await settle(client)
    assert client.is_fresh()


async def test_an_unknown_kid_stays_unknown_only_after_a_good_answer(client, realm):
    await client.ready()
    realm.fault = "500"
    for _ in range(5):
        with pytest.raises(UnavailableError):
            await client.seek("unknown", "ES256")
    assert realm.fetches == 3


async def test_failures_pause_requests_for_longer_and_longer(client, realm, clock):
    realm.fault = "500"
    for _ in range(100):
        with pytest.raises(UnavailableError):
            await client.ready()
        clock.advance(1)
    assert 5 <= realm.fetches <= 10


async def test_in_an_outage_the_background_pauses_too(client, realm, clock):
    await client.ready()
    realm.fault = "500"
    clock.advance(600)
    for _ in range(20):
        await client.ready()
        await settle(client)
        clock.advance(0.5)
    assert 2 <= client.stats().failures <= 6


async def test_a_cold_start_in_an_outage_recovers_within_a_second(client, realm, clock):
    realm.fault = "500"
    with pytest.raises(UnavailableError) as caught:
        await client.ready()
    assert caught.value.retry_after == 1
    realm.fault = None
    clock.advance(1)
    assert realm.key.kid in await client.ready()


async def test_keys_are_not_used_for_more_than_a_day_of_outage(client, realm, clock):
    await client.ready()
    realm.fault = "500"
    clock.advance(86401)
    with pytest.raises(UnavailableError):
        await client.ready()


@pytest.mark.parametrize(
    ("control", "seconds"),
    [
        ("max-age=1200", 1200),
        ("public, max-age=1200, must-revalidate", 1200),
        ("max-age=5", 60),
        ("max-age=99999999", 3600),
        ("no-store", 60),
        ("no-cache, max-age=1200", 60),
        ("s-maxage=7", 600),
        ("max-age=soon", 600),
        ("", 600),
    ],
)
async def test_cache_control_counts_within_bounds(
    client, realm, clock, control, seconds
):
    realm.jwks_headers = {"cache-control": control}
    await client.ready()
    clock.advance(seconds - 1)
    assert client.is_fresh()
    clock.advance(1)
    assert not client.is_fresh()


async def test_the_age_of_a_cached_answer_is_taken_off(client, realm, clock):
    realm.jwks_headers = {"cache-control": "max-age=1200", "age": "200"}
    await client.ready()
    clock.advance(1000)
    assert not client.is_fresh()


async def test_processes_do_not_ask_in_step(realm, clock):
    client = JWKSClient(realm.jwks_uri, clock=clock, jitter=lambda: 1.0)
    await client.ready()
    clock.advance(541)
    assert not client.is_fresh()
    await client.aclose()


# ------------------------------------------------------------------- certificates


def test_a_bucket_gives_its_burst_and_then_one_each_period():
    clock = FakeClock()
    bucket = TokenBucket(2, 30, clock=clock)
    assert [bucket.take() for _ in range(3)] == [True, True, False]
    assert bucket.wait() == pytest.approx(30)
    clock.advance(29)
    assert not bucket.take()
    clock.advance(1.001)
    assert bucket.take()
    clock.advance(3600)
    assert [bucket.take() for _ in range(3)] == [True, True, False]
