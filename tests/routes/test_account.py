from __future__ import annotations

import asyncio
import statistics
import time

import pytest

from asgi_auth.errors import InvalidTokenError
from asgi_auth.passwords import PasswordHasher
from tests.routes.world import (
    EMAIL,
    PASSWORD,
    World,
    assert_problem,
    bearer,
    log_in,
)

NEW = "brass-kettle-77-moon"


async def test_registering_gives_one_answer_whether_or_not_the_address_is_taken():
    world = World()
    await world.add()
    async with world.client() as client:
        answers = [
            await client.post("/register", json={"email": email, "password": NEW})
            for email in (EMAIL, "new@example.com", "  ANN@Example.COM ")
        ]
    await world.outbox.drain()
    for answer in answers:
        assert answer.status_code == 202
        assert answer.json() == {"status": "message_sent"}
        assert answer.headers == answers[0].headers
    assert world.mailbox.kinds() == ["verify", "exists", "verify", "exists"]


async def test_of_many_registrations_at_once_one_wins_and_all_hear_the_same():
    world = World()
    body = {"email": EMAIL, "password": NEW}
    async with world.client() as client:
        answers = await asyncio.gather(
            *(client.post("/register", json=body) for _ in range(10))
        )
    await world.outbox.drain()
    assert {(a.status_code, a.content) for a in answers} == {
        (202, b'{"status":"message_sent"}')
    }
    # While no one has confirmed the address, each registration replaces the one before.
    assert world.mailbox.kinds() == ["verify"] * 10
    first = world.mailbox.messages[0][2]
    with pytest.raises(InvalidTokenError):
        await world.accounts.verify_email(first, NEW)
    await world.accounts.verify_email(world.mailbox.token("verify"), NEW)


async def test_without_verification_registering_shows_the_account_or_a_conflict():
    world = World(accounts={"require_verified": False, "send_message": None})
    body = {"email": "Ann@example.com", "password": NEW, "roles": ["admin"]}
    async with world.client() as client:
        made = await client.post("/register", json=body)
        again = await client.post("/register", json=body)
    assert made.status_code == 201
    assert made.json()["email"] == EMAIL
    assert made.json()["roles"] == []
    assert "password" not in made.text
    assert_problem(again, 409, "account_exists")


async def test_a_registration_with_a_bad_address_or_password_says_why():
    world = World()
    async with world.client() as client:
        for body, code in (
            ({"email": "nonsense", "password": NEW}, "invalid_email"),
            ({"email": "a\0@example.com", "password": NEW}, "invalid_email"),
            ({"email": "аnn@example.com", "password": NEW}, "invalid_email"),  # noqa: RUF001
            ({"email": EMAIL, "password": "short"}, "password_refused"),
            ({"email": EMAIL, "password": "nul\0" * 9}, "password_refused"),
            ({"email": EMAIL, "password": "long" * 300}, "password_refused"),
            ({"email": EMAIL, "password": "password1234"}, "password_refused"),
        ):
            assert_problem(await client.post("/register", json=body), 400, code)
    assert world.mailbox.messages == []


async def test_look_alikes_and_case_lead_to_one_account():
    world = World()
    account = await world.add("ann@münchen.example")
    assert account is None  # Kept in its ASCII form.
    async with world.client() as client:
        for email in ("ANN@MÜNCHEN.example", "ann@xn--mnchen-3ya.example"):
            assert await log_in(client, email)


async def test_an_address_is_verified_with_the_token_from_the_message():
    world = World()
    body = {"email": EMAIL, "password": NEW}
    async with world.client() as client:
        await client.post("/register", json=body)
        await world.outbox.drain()
        assert_problem(
            await client.post("/login", json=body), 403, "email_not_verified"
        )
        await client.post("/verify/resend", json={"email": EMAIL})
        await world.outbox.drain()
        assert world.mailbox.kinds() == ["verify", "verify"]
        token = {"token": world.mailbox.token("verify"), "password": NEW}
        answer = await client.post("/verify", json=token)
        assert answer.json()["verified"] is True
        assert (await client.post("/login", json=body)).status_code == 200
        bad = await client.post("/verify", json={"token": "nonsense", "password": NEW})
        assert_problem(bad, 401, "invalid_token")


async def test_a_forgotten_password_is_reset_once_and_all_sessions_end():
    world = World()
    await world.add()
    async with world.client() as client:
        pair = await log_in(client)
        known = await client.post("/password/forgot", json={"email": EMAIL})
        body = {"email": "nobody@example.com"}
        unknown = await client.post("/password/forgot", json=body)
        assert known.status_code == 202
        assert (known.content, known.headers) == (unknown.content, unknown.headers)
        await world.outbox.drain()
        token = world.mailbox.token("reset")

        body = {"token": token, "password": NEW}
        answer = await client.post("/password/reset", json=body)
        assert answer.status_code == 204
        me = await client.get("/me", headers=bearer(pair))
        assert_problem(me, 401, "token_revoked")
        replayed = await client.post("/password/reset", json=body)
        assert_problem(replayed, 401, "token_revoked")
        world.clock.advance(1)
        old = await client.post("/login", json={"email": EMAIL, "password": PASSWORD})
        assert_problem(old, 401, "invalid_credentials")
        assert await log_in(client, password=NEW)


async def test_a_reset_token_dies_with_a_password_change_and_with_time():
    world = World()
    await world.add()
    async with world.client() as client:
        pair = await log_in(client)
        for _ in range(2):
            await client.post("/password/forgot", json={"email": EMAIL})
        await world.outbox.drain()
        first, second = [t for k, _, t in world.mailbox.messages if k == "reset"]
        change = {"current_password": PASSWORD, "new_password": NEW}
        await client.post("/password/change", json=change, headers=bearer(pair))
        body = {"token": first, "password": "green-field-99-fox"}
        answer = await client.post("/password/reset", json=body)
        assert_problem(answer, 401, "token_revoked")
        world.clock.advance(901)
        answer = await client.post("/password/reset", json={**body, "token": second})
        assert_problem(answer, 401, "token_expired")


async def test_a_changed_password_ends_the_other_sessions():
    world = World()
    await world.add()
    async with world.client() as client:
        mine, other = await log_in(client), await log_in(client)
        change = {"current_password": PASSWORD, "new_password": NEW}
        answer = await client.post(
            "/password/change", json=change, headers=bearer(mine)
        )
        assert answer.status_code == 204
        assert (await client.get("/me", headers=bearer(mine))).status_code == 200
        me = await client.get("/me", headers=bearer(other))
        assert_problem(me, 401, "token_revoked")
        again = await client.post("/password/change", json=change, headers=bearer(mine))
        assert_problem(again, 401, "invalid_credentials")
        nobody = await client.post("/password/change", json=change)
        assert_problem(nobody, 401, "unauthenticated")


async def test_an_address_is_changed_with_the_token_from_the_message():
    world = World()
    await world.add()
    await world.add("taken@example.com")
    async with world.client() as client:
        pair = await log_in(client)
        answers = [
            await client.post(
                "/email/change",
                json={"email": email, "password": PASSWORD},
                headers=bearer(pair),
            )
            for email in ("new@example.com", "taken@example.com")
        ]
        assert {a.status_code for a in answers} == {202}
        assert answers[0].content == answers[1].content
        await world.outbox.drain()
        assert world.mailbox.kinds().count("change_email") == 1
        token = {"token": world.mailbox.token("change_email"), "password": PASSWORD}
        answer = await client.post("/email/confirm", json=token)
        assert answer.json()["email"] == "new@example.com"
        replayed = await client.post("/email/confirm", json=token)
        assert_problem(replayed, 401, "invalid_token")
        me = await client.get("/me", headers=bearer(pair))
        assert me.json()["email"] == "new@example.com"


async def test_a_user_sees_only_the_data_that_the_application_shows():
    world = World(user_data=lambda account: {"name": account.data["name"]})
    await world.add(data={"name": "Ann", "fraud_score": 7}, roles=["editor"])
    async with world.client() as client:
        me = (await client.get("/me", headers=bearer(await log_in(client)))).json()
    assert me["data"] == {"name": "Ann"}
    assert me["roles"] == ["editor"]
    hidden = World()
    await hidden.add(data={"fraud_score": 7})
    async with hidden.client() as client:
        me = await client.get("/me", headers=bearer(await log_in(client)))
    assert "data" not in me.json()


async def test_a_user_who_is_gone_is_unknown():
    world = World()
    token = world.tokens.mint("nobody")
    async with world.client() as client:
        me = await client.get("/me", headers={"Authorization": f"Bearer {token}"})
    assert_problem(me, 401, "unknown_subject")


async def test_a_slow_or_failing_sender_delays_no_answer():
    answered = asyncio.Event()

    async def broken(kind, account, token):
        await answered.wait()
        raise OSError("no mail today")

    world = World(accounts={"send_message": broken, "require_verified": False})
    await world.accounts.register(EMAIL, PASSWORD)
    async with world.client() as client:
        answer = await client.post("/password/forgot", json={"email": EMAIL})
        assert answer.status_code == 202
    answered.set()
    await world.outbox.drain()


@pytest.mark.slow
async def test_unknown_and_known_users_take_the_same_time():
    """The difference of the medians, over 50 interleaved tries, is below 10 %."""
    world = World(accounts={"hasher": PasswordHasher(workers=1)})
    await world.add()
    taken = {EMAIL: [], "nobody@example.com": []}
    async with world.client() as client:
        for _ in range(50):
            for email, times in taken.items():
                began = time.perf_counter()
                body = {"email": email, "password": "wrong-one"}
                await client.post("/login", json=body)
                times.append(time.perf_counter() - began)
    known, unknown = (statistics.median(times[2:]) for times in taken.values())
    assert abs(known - unknown) / known < 0.1


async def test_accounts_are_told_to_the_listener():
    world = World()
    account = await world.add()
    async with world.client() as client:
        pair = await log_in(client)
        change = {"current_password": PASSWORD, "new_password": NEW}
        await client.post("/password/change", json=change, headers=bearer(pair))
        world.clock.advance(1)
        await client.post("/register", json={"email": EMAIL, "password": NEW})
        await client.post("/password/forgot", json={"email": EMAIL})
        await world.outbox.drain()
        token = {"token": world.mailbox.token("reset"), "password": PASSWORD}
        await client.post("/password/reset", json=token)
    await asyncio.sleep(0.01)
    told = [event for event in world.events if event.name.startswith("account.")]
    assert [(event.name, event.subject) for event in told] == [
        ("account.password_changed", account.id),
        ("account.registration_asked", None),
        ("account.password_forgotten", None),
        ("account.password_reset", account.id),
    ]
