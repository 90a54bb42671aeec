from __future__ import annotations

import asyncio

from asgi_auth import Site
from asgi_auth.ratelimit import Limits
from asgi_auth.ratelimit.limiter import Limit, RateLimiter
from tests.routes.world import (
    EMAIL,
    LOOSE,
    PASSWORD,
    World,
    assert_problem,
    bearer,
    log_in,
)

RIGHT = {"email": EMAIL, "password": PASSWORD}
WRONG = {"email": EMAIL, "password": "wrong-one"}


def limited(**limits):
    return World(limiter=RateLimiter(limits=Limits(**{**LOOSE, **limits})))


async def tries(client, count, body=WRONG, path="/login", **options):
    return [
        (await client.post(path, json=body, **options)).status_code
        for _ in range(count)
    ]


async def test_log_ins_for_one_account_from_one_address_are_limited():
    world = World(limiter=RateLimiter())
    await world.add()
    async with world.client() as client:
        assert await tries(client, 5) == [401] * 5
        answer = await client.post("/login", json=RIGHT)
        assert_problem(answer, 429, "rate_limited")
        assert 1 <= int(answer.headers["retry-after"]) <= 60
        spelled = {**RIGHT, "email": " ANN@example.COM"}
        assert (await client.post("/login", json=spelled)).status_code == 429
        assert await tries(client, 1, {**WRONG, "email": "bob@example.com"}) == [401]
    async with world.client(ip="127.0.0.2") as client:
        assert (await client.post("/login", json=RIGHT)).status_code == 200
    await asyncio.sleep(0.01)
    assert "login.locked" in world.heard("login.")


async def test_unknown_accounts_are_limited_as_known_ones():
    world = World(limiter=RateLimiter())
    await world.add()
    async with world.client() as client:
        known = await tries(client, 7)
        unknown = await tries(client, 7, {**WRONG, "email": "nobody@example.com"})
    assert known == unknown


async def test_log_ins_from_one_address_are_limited_before_the_body_is_read():
    world = limited(log_in_address=Limit(3, 60))
    async with world.client() as client:
        for number in range(3):
            body = {**WRONG, "email": f"user{number}@example.com"}
            assert await tries(client, 1, body) == [401]
        answer = await client.post("/login", content=b"not even json")
    assert_problem(answer, 429, "rate_limited")


async def test_of_ipv6_a_whole_64_is_one_address():
    world = limited(log_in_address=Limit(2, 60))
    for ip, status in (
        ("2001:db8::1", 401),
        ("2001:db8::2", 401),
        ("2001:db8::ffff:3", 429),
        ("2001:db8:0:1::1", 401),
    ):
        async with world.client(ip=ip) as client:
            assert await tries(client, 1) == [status]


async def test_forwarded_addresses_count_only_from_a_trusted_proxy():
    limiter = RateLimiter(limits=Limits(**{**LOOSE, "log_in_address": Limit(2, 60)}))
    world = World(limiter=limiter, site=Site(trusted_proxies=["10.0.0.0/8"]))
    for ip, expected in (("10.0.0.1", [401] * 4), ("6.6.6.6", [401, 401, 429, 429])):
        async with world.client(ip=ip) as client:
            seen = [
                (await tries(client, 1, headers={"X-Forwarded-For": f"1.1.1.{n}"}))[0]
                for n in range(4)
            ]
        assert seen == expected


async def test_nobody_can_lock_a_user_out_of_a_device_that_is_known():
    world = limited(failures=Limit(5, 3600))
    await world.add()
    async with world.client() as client:
        pair = await log_in(client)
        known = {**RIGHT, "device_token": pair["device_token"]}
    async with world.client(ip="6.6.6.6") as attacker:
        assert await tries(attacker, 6) == [401] * 5 + [429]
    async with world.client(ip="127.0.0.3") as client:
        assert (await client.post("/login", json=RIGHT)).status_code == 429
        assert (await client.post("/login", json=known)).status_code == 200
        # A device is known for its own account only, and has a limit of its own.
        other = {**known, "email": "bob@example.com", "password": "wrong-one"}
        assert await tries(client, 6, other) == [401] * 5 + [429]
        wrong = {**known, "password": "wrong-one"}
        assert await tries(client, 6, wrong) == [401] * 5 + [429]


async def test_a_browser_is_known_by_its_cookie():
    limiter = RateLimiter(limits=Limits(**{**LOOSE, "failures": Limit(2, 3600)}))
    world = World(limiter=limiter, delivery="cookie")
    await world.add()
    async with world.client() as client:
        await client.post("/login", json=RIGHT)
        await client.post("/logout")
        async with world.client(ip="6.6.6.6") as attacker:
            assert await tries(attacker, 3) == [401, 401, 429]
        assert (await client.post("/login", json=RIGHT)).status_code == 200


async def test_good_log_ins_are_no_failures():
    world = limited(failures=Limit(2, 3600))
    account = await world.add()
    async with world.client() as client:
        assert await tries(client, 10, RIGHT) == [200] * 10
        await world.accounts.disable(account.id)
        assert await tries(client, 10, RIGHT) == [403] * 10
        assert await tries(client, 3) == [401, 401, 429]


async def test_registrations_and_resets_are_limited():
    world = World(limiter=RateLimiter())
    async with world.client() as client:
        body = {"email": EMAIL, "password": "brass-kettle-77-moon"}
        assert await tries(client, 4, body, "/register") == [202] * 3 + [429]
        body = {"email": EMAIL}
        assert await tries(client, 4, body, "/password/forgot") == [202] * 3 + [429]
        assert await tries(client, 1, body, "/verify/resend") == [429]
        body = {"token": "x", "password": "y"}
        assert await tries(client, 1, body, "/password/reset") == [429]


async def test_passwords_cannot_be_guessed_with_a_stolen_token():
    world = World(limiter=RateLimiter())
    await world.add()
    async with world.client() as client:
        who = bearer(await log_in(client))
        wrong = {"password": "wrong-one"}
        seen = await tries(client, 3, wrong, "/reauthenticate", headers=who)
        change = {"current_password": "wrong-one", "new_password": "brass-kettle-77"}
        seen += await tries(client, 3, change, "/password/change", headers=who)
        assert seen == [401] * 5 + [429]


async def test_a_limiter_that_is_down_refuses_to_log_in():
    world = World(limiter=RateLimiter("redis://127.0.0.1:1/0"))
    await world.add()
    async with world.client() as client:
        answer = await client.post("/login", json=RIGHT)
        assert_problem(answer, 503, "unavailable")
        assert answer.headers["retry-after"]
        assert (await client.post("/logout")).status_code == 401
    lenient = RateLimiter("redis://127.0.0.1:1/0", insecure_pass_when_down=True)
    world = World(limiter=lenient)
    await world.add()
    async with world.client() as client:
        assert await log_in(client)


async def test_counting_can_be_left_out_by_its_honest_name():
    world = World(limiter=RateLimiter(insecure_unlimited=True))
    await world.add()
    async with world.client() as client:
        assert await tries(client, 40) == [401] * 40
        assert "device_token" not in await log_in(client)
