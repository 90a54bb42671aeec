"""What OAuth's forms are answered where they are refused (RFC 6749, section 5.2)."""

from __future__ import annotations

import pytest

from asgi_auth.ratelimit import Limits
from asgi_auth.ratelimit.limiter import Limit, RateLimiter
from tests.routes.world import EMAIL, PASSWORD, World, assert_problem, log_in

FORM = {"Content-Type": "application/x-www-form-urlencoded"}
LOG_IN = {"grant_type": "password", "username": EMAIL, "password": PASSWORD}


def assert_oauth(answer, error, code):
    assert answer.status_code == 400
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["cache-control"] == "no-store"
    assert "www-authenticate" not in answer.headers
    document = answer.json()
    assert document.keys() == {"error", "error_description", "code"}
    assert (document["error"], document["code"]) == (error, code)
    assert document["error_description"]


async def answered(path, form, **options):
    world = World(**options)
    await world.add()
    async with world.client() as client:
        return await client.post(path, data=form)


@pytest.mark.parametrize(
    "wrong", [{"password": "another-one"}, {"username": "bob@example.com"}]
)
async def test_wrong_credentials_are_an_invalid_grant(wrong):
    answer = await answered("/login", {**LOG_IN, **wrong})
    assert_oauth(answer, "invalid_grant", "invalid_credentials")


async def test_without_a_grant_type_it_is_a_form_all_the_same():
    form = {"username": EMAIL, "password": "another-one"}
    answer = await answered("/login", form)
    assert_oauth(answer, "invalid_grant", "invalid_credentials")


async def test_json_is_answered_as_everywhere():
    world = World()
    async with world.client() as client:
        wrong = {"email": EMAIL, "password": "another-one"}
        answer = await client.post("/login", json=wrong)
        assert_problem(answer, 401, "invalid_credentials")


@pytest.mark.parametrize("path", ["/login", "/refresh"])
async def test_another_grant_is_not_supported(path):
    answer = await answered(path, {**LOG_IN, "grant_type": "magic"})
    assert_oauth(answer, "unsupported_grant_type", "invalid_body")


async def test_a_disabled_account_is_an_invalid_grant():
    world = World()
    account = await world.add()
    await world.accounts.disable(account.id)
    async with world.client() as client:
        answer = await client.post("/login", data=LOG_IN)

    assert_oauth(answer, "invalid_grant", "account_disabled")


@pytest.mark.parametrize(
    ("token", "code"), [("junk", "invalid_token"), ("", "unauthenticated")]
)
async def test_a_bad_refresh_token_is_an_invalid_grant(token, code):
    form = {"grant_type": "refresh_token", "refresh_token": token}
    answer = await answered("/refresh", form)
    assert_oauth(answer, "invalid_grant", code)


async def test_a_refresh_token_that_was_replaced_is_an_invalid_grant():
    world = World()
    await world.add()
    async with world.client() as client:
        pair = await log_in(client)
        token = {"refresh_token": pair["refresh_token"]}
        await client.post("/refresh", json=token)
        world.clock.advance(60)
        answer = await client.post("/refresh", data=token)

    assert_oauth(answer, "invalid_grant", "token_reused")


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"email=%ff&password=x", "malformed_body"),
        (b"username=a&username=b&password=x", "malformed_body"),
        (b"&".join(b"a%d=1" % n for n in range(99)), "malformed_body"),
        (b"\xff=\xfe", "malformed_body"),
        (b"username=a", "invalid_body"),
        (b"username=a&password=", "invalid_body"),
    ],
)
async def test_a_bad_form_is_an_invalid_request(body, code):
    world = World()
    async with world.client() as client:
        answer = await client.post("/login", content=body, headers=FORM)

    assert_oauth(answer, "invalid_request", code)


async def test_limits_are_answered_as_everywhere():
    limiter = RateLimiter(limits=Limits(log_in=Limit(1, 60)))
    world = World(limiter=limiter)
    await world.add()
    async with world.client() as client:
        await client.post("/login", data={**LOG_IN, "password": "another-one"})
        answer = await client.post("/login", data=LOG_IN)

    assert_problem(answer, 429, "rate_limited")


async def test_a_form_that_is_none_of_oauths_is_answered_as_everywhere():
    world = World()
    async with world.client() as client:
        answer = await client.post("/revoke", content=b"\xff=\xfe", headers=FORM)

    assert_problem(answer, 400, "malformed_body")
