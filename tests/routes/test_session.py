from __future__ import annotations

import asyncio

import pytest

from asgi_auth import InvalidCredentialsError, SessionPolicy
from asgi_auth.ratelimit import RateLimiter
from asgi_auth.routes import AuthRoutes, Factor, LogInMethods, SecondFactorRequiredError
from asgi_auth.routes.devices import account_digest
from tests.routes.world import (
    EMAIL,
    PASSWORD,
    World,
    assert_problem,
    bearer,
    log_in,
)


async def test_a_log_in_gives_a_pair_that_says_how_long_it_lives():
    world = World()
    account = await world.add(roles=["editor"], scopes=["notes:read"])
    async with world.client() as client:
        answer = await client.post(
            "/login", json={"email": EMAIL, "password": PASSWORD}
        )
        pair = answer.json()

    assert answer.headers["cache-control"] == "no-store"
    assert pair["token_type"] == "Bearer"
    assert pair["expires_in"] == 900
    assert pair["scope"] == "notes:read"
    assert "set-cookie" not in answer.headers
    claims = await world.tokens.verify(pair["access_token"])
    assert claims["sub"] == account.id
    assert claims["roles"] == ("editor",)
    assert claims["amr"] == ("pwd",)


async def test_a_log_in_takes_the_password_form_of_oauth():
    world = World()
    await world.add()
    form = {"username": EMAIL, "password": PASSWORD, "grant_type": "password"}
    async with world.client() as client:
        answer = await client.post(
            "/login", data={**form, "scope": "", "client_id": ""}
        )

    assert answer.json()["access_token"]


async def test_unknown_users_and_wrong_passwords_get_one_answer():
    world = World()
    await world.add()
    async with world.client() as client:
        answers = [
            await client.post("/login", json={"email": email, "password": "wrong-one"})
            for email in (EMAIL, "nobody@example.com", "no address", "a\0b@example.com")
        ]

    for answer in answers:
        assert_problem(answer, 401, "invalid_credentials")
        assert answer.content == answers[0].content
        assert answer.headers == answers[0].headers


async def test_disabled_and_unverified_are_told_only_after_the_right_password():
    world = World()
    account = await world.add()
    await world.accounts.disable(account.id)
    await world.accounts.register("bob@example.com", PASSWORD)
    async with world.client() as client:
        for email, code in (
            (EMAIL, "account_disabled"),
            ("bob@example.com", "email_not_verified"),
        ):
            right = {"email": email, "password": PASSWORD}
            assert_problem(await client.post("/login", json=right), 403, code)
            wrong = {"email": email, "password": "something-else"}
            answer = await client.post("/login", json=wrong)
            assert_problem(answer, 401, "invalid_credentials")


async def test_a_refresh_replaces_both_tokens():
    world = World()
    await world.add()
    async with world.client() as client:
        first = await log_in(client)
        token = {"refresh_token": first["refresh_token"]}
        second = (await client.post("/refresh", json=token)).json()
        form = {"grant_type": "refresh_token", "refresh_token": second["refresh_token"]}
        third = (await client.post("/refresh", data=form)).json()

    tokens = {pair["refresh_token"] for pair in (first, second, third)}
    assert len(tokens) == 3
    assert await world.tokens.verify(third["access_token"])


async def test_a_stolen_refresh_token_ends_the_session():
    world = World()
    await world.add()
    async with world.client() as client:
        first = await log_in(client)
        token = {"refresh_token": first["refresh_token"]}
        second = (await client.post("/refresh", json=token)).json()
        world.clock.advance(120)
        assert_problem(await client.post("/refresh", json=token), 401, "token_reused")
        me = await client.get("/me", headers=bearer(second))
        assert_problem(me, 401, "token_revoked")


async def test_a_refresh_without_a_token_is_unauthenticated():
    world = World()
    async with world.client() as client:
        assert_problem(await client.post("/refresh"), 401, "unauthenticated")
        bad = {"refresh_token": "nonsense"}
        assert_problem(await client.post("/refresh", json=bad), 401, "invalid_token")


async def test_a_bad_authorization_header_does_not_keep_anybody_from_refreshing():
    world = World()
    await world.add()
    async with world.client() as client:
        pair = await log_in(client)
        world.clock.advance(3600)
        answer = await client.post(
            "/refresh",
            json={"refresh_token": pair["refresh_token"]},
            headers=bearer(pair),
        )
    assert answer.status_code == 200


async def test_a_log_out_with_the_refresh_token_ends_the_session():
    world = World()
    await world.add()
    async with world.client() as client:
        pair = await log_in(client)
        token = {"refresh_token": pair["refresh_token"]}
        assert (await client.post("/logout", json=token)).status_code == 204
        me = await client.get("/me", headers=bearer(pair))
        assert_problem(me, 401, "token_revoked")
        assert_problem(await client.post("/refresh", json=token), 401, "token_revoked")
        # To be out already is as good.
        assert (await client.post("/logout", json=token)).status_code == 204


async def test_a_log_out_with_an_expired_access_token_kills_the_refresh_token():
    world = World()
    await world.add()
    async with world.client() as client:
        pair = await log_in(client)
        world.clock.advance(3600)
        me = await client.get("/me", headers=bearer(pair))
        assert_problem(me, 401, "token_expired")
        answer = await client.post("/logout", headers=bearer(pair))
        assert answer.status_code == 204
        token = {"refresh_token": pair["refresh_token"]}
        assert_problem(await client.post("/refresh", json=token), 401, "token_revoked")


@pytest.mark.parametrize("wrong", ["forged", "another kind", "nonsense"])
async def test_a_log_out_with_an_expired_token_that_has_another_fault_is_refused(wrong):
    world = World()
    await world.add()
    async with world.client() as client:
        pair = await log_in(client)
        head, payload, signature = pair["access_token"].split(".")
        token = {
            "forged": f"{head}.{payload}.{signature[::-1]}",
            "another kind": pair["refresh_token"],
            "nonsense": "nonsense",
        }[wrong]
        world.clock.advance(3600)
        answer = await client.post(
            "/logout", headers={"Authorization": f"Bearer {token}"}
        )
        assert_problem(answer, 401, "invalid_token")
        token = {"refresh_token": pair["refresh_token"]}
        assert (await client.post("/refresh", json=token)).status_code == 200


async def test_one_good_token_is_enough_to_log_out():
    world = World()
    await world.add()
    async with world.client() as client:
        pair = await log_in(client)
        answer = await client.post(
            "/logout", json={"refresh_token": "nonsense"}, headers=bearer(pair)
        )
        assert answer.status_code == 204
        me = await client.get("/me", headers=bearer(pair))
        assert_problem(me, 401, "token_revoked")

        pair = await log_in(client)
        answer = await client.post(
            "/logout",
            json={"refresh_token": pair["refresh_token"]},
            headers={"Authorization": "Bearer nonsense"},
        )
        assert answer.status_code == 204
        me = await client.get("/me", headers=bearer(pair))
        assert_problem(me, 401, "token_revoked")

        answer = await client.post("/logout", json={"refresh_token": "nonsense"})
        assert_problem(answer, 401, "invalid_token")


async def test_a_log_out_without_a_session_says_so():
    world = World()
    async with world.client() as client:
        assert_problem(await client.post("/logout"), 401, "unauthenticated")


async def test_a_log_out_everywhere_ends_every_session():
    world = World()
    await world.add()
    async with world.client() as client:
        pairs = [await log_in(client) for _ in range(3)]
        answer = await client.post("/logout-all", headers=bearer(pairs[1]))
        assert answer.status_code == 204
        for pair in pairs:
            me = await client.get("/me", headers=bearer(pair))
            assert_problem(me, 401, "token_revoked")


async def test_sessions_name_the_devices_and_the_present_one():
    world = World()
    await world.add()
    async with world.client(ip="2001:db8::1") as client:
        await log_in(client, device_label="phone")
        world.clock.advance(1)
        agent = {"User-Agent": "Browser/1.0\x7f " + "x" * 200}
        pair = await client.post(
            "/login", json={"email": EMAIL, "password": PASSWORD}, headers=agent
        )
        listed = await client.get("/sessions", headers=bearer(pair.json()))

    phone, browser = listed.json()["sessions"]
    assert phone["device"]["label"] == "phone"
    assert phone["device"]["ip"] == "2001:db8::1"
    assert not phone["current"]
    assert browser["current"]
    assert browser["device"]["user_agent"].startswith("Browser/1.0 ")
    assert len(browser["device"]["user_agent"]) <= 512
    assert browser["created_at"] <= browser["expires_at"]


async def test_one_session_can_be_ended_by_its_owner_alone():
    world = World()
    await world.add()
    await world.add("bob@example.com", "other-violet-lamp-9")
    async with world.client() as client:
        anns = await log_in(client)
        other = await log_in(client)
        bobs = await log_in(client, "bob@example.com", "other-violet-lamp-9")
        listed = await client.get("/sessions", headers=bearer(anns))
        sid = next(s["sid"] for s in listed.json()["sessions"] if not s["current"])

        stolen = await client.delete(f"/sessions/{sid}", headers=bearer(bobs))
        assert_problem(stolen, 404, "not_found")
        unknown = await client.delete("/sessions/nothing", headers=bearer(anns))
        assert unknown.content == stolen.content

        ended = await client.delete(f"/sessions/{sid}", headers=bearer(anns))
        assert ended.status_code == 204
        me = await client.get("/me", headers=bearer(other))
        assert_problem(me, 401, "token_revoked")
        assert (await client.get("/me", headers=bearer(anns))).status_code == 200


async def test_sessions_come_in_pages():
    world = World()
    await world.add()
    async with world.client() as client:
        for number in range(5):
            pair = await log_in(client, device_label=f"device {number}")
            world.clock.advance(1)

        labels, path = [], "/sessions?limit=2"
        while path is not None:
            page = (await client.get(path, headers=bearer(pair))).json()
            labels.append([each["device"]["label"][-1] for each in page["sessions"]])
            path = f"/sessions?limit=2&after={page['next']}" if "next" in page else None

        assert labels == [["0", "1"], ["2", "3"], ["4"]]
        whole = (await client.get("/sessions?limit=5", headers=bearer(pair))).json()
        assert len(whole["sessions"]) == 5
        assert "next" not in whole


@pytest.mark.parametrize(
    "query",
    [
        "limit=0",
        "limit=101",
        "limit=x",
        "limit=",
        "limit=1&limit=2",
        "limit=1e1",
        "after=",
        "after=x",
        "after=~x",
        "after=inf~x",
        "after=nan~x",
        "after=-1~x",
        "after=1e3~x",
        "after=" + "9" * 200,
        "after=" + "9" * 300 + "~x",
        "after=1.2.3~x",
        "after=%D9%A1~x",
    ],
)
async def test_a_page_that_cannot_be_is_refused(query):
    world = World()
    await world.add()
    async with world.client() as client:
        pair = await log_in(client)
        answer = await client.get(f"/sessions?{query}", headers=bearer(pair))
        assert_problem(answer, 400, "invalid_query")


@pytest.mark.parametrize("query", ["after=0~%ED%A0%80", "after=9e~", "after=0~", "x=1"])
async def test_a_weird_page_shows_no_more_than_what_is_the_callers(query):
    world = World()
    await world.add()
    async with world.client() as client:
        pair = await log_in(client)
        answer = await client.get(f"/sessions?{query}", headers=bearer(pair))
        assert answer.status_code in {200, 400}
        assert len(answer.json().get("sessions", [])) <= 1


async def test_reauthentication_renews_the_log_in_on_the_same_device():
    world = World(tokens={"session_policy": SessionPolicy(max_sessions=2)})
    await world.add()
    async with world.client() as client:
        other = await log_in(client, device_label="laptop")
        old = await log_in(client, device_label="phone")
        before = await world.tokens.verify(old["access_token"])
        world.clock.advance(600)
        answer = await client.post(
            "/reauthenticate", json={"password": PASSWORD}, headers=bearer(old)
        )
        new = answer.json()
        after = await world.tokens.verify(new["access_token"])
        assert after["auth_time"] == before["auth_time"] + 600
        gone = await client.get("/me", headers=bearer(old))
        assert_problem(gone, 401, "token_revoked")
        token = {"refresh_token": old["refresh_token"]}
        assert_problem(await client.post("/refresh", json=token), 401, "token_revoked")
        listed = await client.get("/sessions", headers=bearer(new))
        labels = [s["device"]["label"] for s in listed.json()["sessions"]]
        assert labels == ["laptop", "phone"]
        assert (await client.get("/me", headers=bearer(other))).status_code == 200

        wrong = await client.post(
            "/reauthenticate", json={"password": "wrong-one"}, headers=bearer(new)
        )
        assert_problem(wrong, 401, "invalid_credentials")
        nobody = await client.post("/reauthenticate", json={"password": PASSWORD})
        assert_problem(nobody, 401, "unauthenticated")


async def test_reauthentication_needs_a_session():
    world = World()
    account = await world.add()
    token = world.tokens.mint(account.id)
    async with world.client() as client:
        answer = await client.post(
            "/reauthenticate",
            json={"password": PASSWORD},
            headers={"Authorization": f"Bearer {token}"},
        )
    assert_problem(answer, 401, "token_revoked")


async def ask_for_code(account, code):
    if account.email != EMAIL:
        return None
    if code is None:
        raise SecondFactorRequiredError
    if code != "123456":
        raise InvalidCredentialsError
    return Factor(acr="mfa", amr=("otp",))


async def test_a_second_factor_is_asked_for_after_the_right_password():
    world = World(second_factor=ask_for_code)
    await world.add()
    await world.add("bob@example.com")
    async with world.client() as client:
        body = {"email": EMAIL, "password": PASSWORD}
        needed = await client.post("/login", json=body)
        assert_problem(needed, 401, "second_factor_required")
        guess = {**body, "password": "wrong-one", "code": "123456"}
        answer = await client.post("/login", json=guess)
        assert_problem(answer, 401, "invalid_credentials")
        bad = await client.post("/login", json={**body, "code": "000000"})
        assert_problem(bad, 401, "invalid_credentials")

        pair = await log_in(client, code="123456")
        claims = await world.tokens.verify(pair["access_token"])
        assert (claims["acr"], claims["amr"]) == ("mfa", ("pwd", "otp"))
        without = await log_in(client, "bob@example.com")
        claims = await world.tokens.verify(without["access_token"])
        assert ("acr" in claims, claims["amr"]) == (False, ("pwd",))


async def test_reauthentication_can_step_up():
    async def on_demand(account, code):
        return None if code is None else await ask_for_code(account, code)

    world = World(second_factor=on_demand)
    await world.add()
    async with world.client() as client:
        pair = await log_in(client)
        answer = await client.post(
            "/reauthenticate",
            json={"password": PASSWORD, "code": "123456"},
            headers=bearer(pair),
        )
        claims = await world.tokens.verify(answer.json()["access_token"])
        assert claims["acr"] == "mfa"
        again = {"refresh_token": answer.json()["refresh_token"]}
        pair = (await client.post("/refresh", json=again)).json()
        assert (await world.tokens.verify(pair["access_token"]))["acr"] == "mfa"


async def test_a_user_who_is_disabled_mid_session_is_out():
    world = World()
    account = await world.add()
    async with world.client() as client:
        pair = await log_in(client)
        await world.accounts.disable(account.id)
        me = await client.get("/me", headers=bearer(pair))
        assert_problem(me, 401, "token_revoked")
        token = {"refresh_token": pair["refresh_token"]}
        assert_problem(await client.post("/refresh", json=token), 401, "token_revoked")


async def test_a_user_who_is_disabled_while_logging_in_gets_no_session():
    world = World()
    account = await world.add()

    async def slow(found, code):
        await world.accounts.disable(account.id)
        return Factor()

    world.routes = AuthRoutes(
        world.tokens,
        world.accounts,
        methods=LogInMethods(second_factor=slow),
        limiter=RateLimiter(insecure_unlimited=True),
    )
    async with world.client() as client:
        answer = await client.post(
            "/login", json={"email": EMAIL, "password": PASSWORD}
        )
    assert answer.status_code == 401
    assert await world.tokens.sessions(account.id) == []


async def test_many_refreshes_at_once_get_one_successor():
    world = World()
    await world.add()
    async with world.client() as client:
        pair = await log_in(client)
        token = {"refresh_token": pair["refresh_token"]}
        answers = await asyncio.gather(
            *(client.post("/refresh", json=token) for _ in range(20))
        )
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.json()["refresh_token"] for answer in answers}) == 1


async def test_camel_case_is_written_on_demand_and_always_read():
    world = World(camel_case=True)
    await world.add()
    async with world.client() as client:
        pair = await log_in(client, deviceLabel="phone")
        assert {"accessToken", "refreshToken", "tokenType"} <= pair.keys()
        token = {"refreshToken": pair["refreshToken"]}
        assert (await client.post("/refresh", json=token)).status_code == 200
        token = {"refresh_token": pair["refreshToken"]}
        assert (await client.post("/refresh", json=token)).status_code == 200


async def test_log_ins_are_told_to_the_listener():
    world = World()
    account = await world.add()
    async with world.client() as client:
        await log_in(client)
        await client.post("/login", json={"email": EMAIL, "password": "wrong-one"})
    await asyncio.sleep(0.01)
    assert world.heard("login.") == ["login.succeeded", "login.failed"]
    good, bad = (e for e in world.events if e.name.startswith("login."))
    assert good.subject == account.id
    assert good.session_id
    agent, device = good.detail["user_agent"], "python-httpx2"
    assert good.detail == {"ip": "127.0.0.1", "user_agent": agent, "device": device}
    assert {**bad.detail, "account": None} == {
        "ip": "127.0.0.1",
        "user_agent": agent,
        "reason": "invalid_credentials",
        "account": None,
    }
    assert bad.detail["account"] == account_digest(EMAIL.upper())
    assert EMAIL not in str(bad)
