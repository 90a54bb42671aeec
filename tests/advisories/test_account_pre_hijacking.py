"""Who registers a stranger's address first must not share the account with its owner.

"Pre-hijacked accounts" (Sudhodanan and Paverd, USENIX Security 2022), and the same by a
change of address.
"""

from __future__ import annotations

import asyncio

import pytest

from asgi_auth.errors import InvalidCredentialsError, InvalidTokenError
from tests.routes.world import EMAIL, World, bearer, log_in

OWNERS = "violet-otter-42-lamp"
THIEFS = "brass-kettle-77-moon"


async def registered(world, *passwords):
    """Register one address with each password, and return the tokens that were sent."""
    for password in passwords:
        assert await world.accounts.register(EMAIL, password) is None
    await world.outbox.drain()
    return [token for _, _, token in world.mailbox.messages]


async def test_the_owners_click_verifies_no_password_of_a_strangers():
    world = World()
    (token,) = await registered(world, THIEFS)

    with pytest.raises(InvalidCredentialsError):
        await world.accounts.verify_email(token, OWNERS)
    with pytest.raises(InvalidCredentialsError):
        await world.accounts.authenticate(EMAIL, OWNERS)


async def test_registering_while_unverified_replaces_the_strangers_password():
    world = World()
    first, second = await registered(world, THIEFS, OWNERS)

    for password in (THIEFS, OWNERS):
        with pytest.raises(InvalidTokenError):
            await world.accounts.verify_email(first, password)
    account = await world.accounts.verify_email(second, OWNERS)
    assert (await world.accounts.authenticate(EMAIL, OWNERS)).id == account.id
    with pytest.raises(InvalidCredentialsError):
        await world.accounts.authenticate(EMAIL, THIEFS)


async def test_a_stranger_who_registers_last_gets_nothing_by_the_owners_click():
    world = World()
    first, second = await registered(world, OWNERS, THIEFS)

    with pytest.raises(InvalidTokenError):
        await world.accounts.verify_email(first, OWNERS)
    with pytest.raises(InvalidCredentialsError):
        await world.accounts.verify_email(second, OWNERS)

    # The owner reads the mail, and that suffices for a password of one's own.
    await world.accounts.forgot_password(EMAIL)
    await world.outbox.drain()
    await world.accounts.reset_password(world.mailbox.token("reset"), OWNERS)
    await world.accounts.authenticate(EMAIL, OWNERS)
    with pytest.raises(InvalidCredentialsError):
        await world.accounts.authenticate(EMAIL, THIEFS)


async def test_roles_and_data_of_an_earlier_registration_do_not_stay():
    world = World()
    first = {"roles": ["admin"], "scopes": ["all"], "data": {"name": "thief"}}
    await world.accounts.register(EMAIL, THIEFS, **first)
    await world.accounts.register(EMAIL, OWNERS)
    await world.outbox.drain()
    account = await world.store.find_by_email(EMAIL)

    assert (account.roles, account.scopes, dict(account.data)) == ((), (), {})


async def test_a_verified_account_is_not_replaced():
    world = World()
    await world.add(EMAIL, OWNERS)
    await world.accounts.register(EMAIL, THIEFS)
    await world.outbox.drain()

    assert world.mailbox.kinds() == ["verify", "exists"]
    await world.accounts.authenticate(EMAIL, OWNERS)


async def test_of_registrations_that_race_a_verification_none_gets_in():
    world = World()
    (token,) = await registered(world, OWNERS)
    verified, _ = await asyncio.gather(
        world.accounts.verify_email(token, OWNERS),
        world.accounts.register(EMAIL, THIEFS),
        return_exceptions=True,
    )
    await world.outbox.drain()
    account = await world.store.find_by_email(EMAIL)

    if isinstance(verified, Exception):
        assert account.verified_at is None
    else:
        await world.accounts.authenticate(EMAIL, OWNERS)


async def test_a_click_moves_no_address_into_a_strangers_account():
    world = World()
    thief = await world.add("thief@example.com", THIEFS)
    await world.accounts.change_email(thief.id, THIEFS, EMAIL)
    await world.outbox.drain()
    token = world.mailbox.token("change_email")

    with pytest.raises(InvalidCredentialsError):
        await world.accounts.confirm_email(token, OWNERS)
    assert await world.store.find_by_email(EMAIL) is None


# ------------------------------------------------------------- mail to one address


async def test_one_address_gets_few_messages_from_however_many_networks():
    from asgi_auth.ratelimit.limiter import Limit, Limits, RateLimiter

    limits = {"recipient": Limit(3, 3600), "reset": Limit(100, 60)}
    world = World(limiter=RateLimiter(limits=Limits(**limits)))
    await world.add()
    answers = set()
    for number in range(50):
        async with world.client(ip=f"198.51.{number}.7") as client:
            for path in ("/password/forgot", "/verify/resend", "/register"):
                body = {"email": EMAIL, "password": OWNERS}
                answer = await client.post(path, json=body)
                answers.add((path, answer.status_code, answer.content))
    await world.outbox.drain()

    # The first is of the registration; the verified owner needs none of the third kind.
    assert world.mailbox.kinds() == ["verify", "reset", "exists"]
    assert answers == {
        (path, 202, b'{"status":"message_sent"}')
        for path in ("/password/forgot", "/verify/resend", "/register")
    }


async def test_a_user_fills_no_strangers_mailbox_by_changing_the_address():
    from asgi_auth.ratelimit.limiter import Limit, Limits, RateLimiter

    limits = Limits(
        recipient=Limit(2, 3600), log_in=Limit(100, 60), log_in_address=Limit(100, 60)
    )
    limiter = RateLimiter(limits=limits)
    world = World(limiter=limiter)
    await world.add()
    async with world.client() as client:
        pair = await log_in(client)
        for _ in range(10):
            body = {"email": "stranger@example.com", "password": OWNERS}
            answer = await client.post("/email/change", json=body, headers=bearer(pair))
            assert answer.status_code == 202
    await world.outbox.drain()

    assert world.mailbox.kinds().count("change_email") == 2
