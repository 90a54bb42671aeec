"""Second factors over HTTP: the whole way, and every bad thing on it."""

from __future__ import annotations

import asyncio
import re
from dataclasses import replace

import pyotp
import pytest
from starlette.requests import Request

from asgi_auth import AuthenticationMiddleware, ConfigurationError, JWTBackend, requires
from asgi_auth.errors import AuthError, UnavailableError
from asgi_auth.factors import MemoryFactors
from asgi_auth.ratelimit import Limits
from asgi_auth.ratelimit.limiter import Limit, RateLimiter
from asgi_auth.responses.deny import deny
from asgi_auth.routes import Factor
from asgi_auth.routes.completion import LogInCompletion
from asgi_auth.routes.pending import Proof
from tests.routes.world import (
    EMAIL,
    LOOSE,
    PASSWORD,
    World,
    assert_problem,
    bearer,
    log_in,
    set_cookies,
)

RIGHT = {"email": EMAIL, "password": PASSWORD}


class Phone:
    """An authenticator app on the clock of a world."""

    def __init__(self, world, uri) -> None:
        self.world, self.app = world, pyotp.parse_uri(uri)

    def code(self, ahead=0) -> str:
        return self.app.at(int(self.world.clock()) + ahead)


async def enrol(world, client, headers=None):
    """Set an app up for who is logged in, and wait until its next code."""
    enrolment = (await client.post("/factors/totp", headers=headers)).json()
    phone = Phone(world, enrolment["uri"])
    body = {"enrolment": enrolment["enrolment"], "code": phone.code()}
    answer = await client.post("/factors/totp/confirm", json=body, headers=headers)
    assert answer.status_code == 200, answer.text
    world.clock.advance(60)
    return phone, answer.json()["recovery_codes"]


async def set_up(world, client):
    return await enrol(world, client, bearer(await log_in(client)))


async def set_up_with_cookies(world, client):
    await client.post("/login", json=RIGHT)
    phone, codes = await enrol(world, client)
    client.cookies.clear()
    return phone, codes


async def begin(client, **more) -> str:
    """Log in with the password, and return the pending token."""
    answer = await client.post("/login", json={**RIGHT, **more})
    assert_problem(answer, 401, "second_factor_required")
    return answer.json()["pending_token"]


async def finish(client, token, code, **more):
    body = {"pending_token": token, "code": code, **more}
    return await client.post("/login/factor", json=body)


async def log_in_by_mail(world, client):
    token = await begin(client)
    code = await ask_for_mail(world, client, token)
    return (await finish(client, token, code)).json()


async def log_in_fully(client, phone):
    answer = await finish(client, await begin(client), phone.code())
    assert answer.status_code == 200, answer.text
    return answer.json()


async def test_a_log_in_takes_two_steps_once_an_app_is_set_up():
    world = World(factors={})
    account = await world.add()
    async with world.client() as client:
        phone, codes = await set_up(world, client)
        assert len(set(codes)) == 10
        answer = await client.post("/login", json=RIGHT)
        assert_problem(answer, 401, "second_factor_required")
        assert answer.json()["methods"] == ["recovery", "totp"]
        assert answer.json()["expires_in"] == 600
        assert "www-authenticate" in answer.headers
        pair = await log_in_fully(client, phone)

    claims = await world.tokens.verify(pair["access_token"])
    assert (claims["sub"], claims["acr"]) == (account.id, "mfa")
    assert claims["amr"] == ("pwd", "otp", "mfa")
    await world.settle()
    assert "factor.added" in world.heard("factor.")
    assert world.heard("factor.")[-1] == "factor.used"
    assert world.heard("login.")[-1] == "login.succeeded"


async def test_a_code_may_come_with_the_password():
    world = World(factors={})
    await world.add()
    async with world.client() as client:
        phone, _ = await set_up(world, client)
        pair = await log_in(client, code=phone.code())
        assert (await world.tokens.verify(pair["access_token"]))["acr"] == "mfa"
        again = await client.post("/login", json={**RIGHT, "code": phone.code()})
        assert_problem(again, 401, "invalid_code")
        wrong = {**RIGHT, "password": "another-one-77", "code": phone.code(30)}
        assert_problem(
            await client.post("/login", json=wrong), 401, "invalid_credentials"
        )
        # The wrong password used no code up.
        await log_in(client, code=phone.code(30))


async def test_a_code_of_a_user_without_factors_is_passed_over():
    world = World(factors={})
    await world.add()
    async with world.client() as client:
        pair = await log_in(client, code="123456")
        claims = await world.tokens.verify(pair["access_token"])
    assert ("acr" in claims, claims["amr"]) == (False, ("pwd",))


async def test_oauths_password_form_hears_how_to_go_on():
    world = World(factors={})
    await world.add()
    async with world.client() as client:
        phone, _ = await set_up(world, client)
        form = {"username": EMAIL, "password": PASSWORD, "grant_type": "password"}
        answer = await client.post("/login", data=form)
        assert answer.status_code == 400
        assert answer.json()["error"] == "invalid_grant"
        assert answer.json()["code"] == "second_factor_required"
        done = await finish(client, answer.json()["pending_token"], phone.code())
    assert done.status_code == 200


@pytest.mark.parametrize(
    "spelling",
    [
        lambda code: f"{code[:3]} {code[3:]}",
        lambda code: f" {code}\u00a0",
        "-".join,
    ],
)
async def test_codes_may_have_gaps(spelling):
    world = World(factors={})
    await world.add()
    async with world.client() as client:
        phone, _ = await set_up(world, client)
        answer = await finish(client, await begin(client), spelling(phone.code()))
    assert answer.status_code == 200


def arabic(code: str) -> str:
    return "".join(chr(0x0660 + int(digit)) for digit in code)


def full_width(code: str) -> str:
    return "".join(chr(0xFF10 + int(digit)) for digit in code)


@pytest.mark.parametrize(
    "spoil",
    [
        arabic,
        full_width,
        lambda code: code[:-1],
        lambda code: code + "0",
        lambda code: "",
        lambda code: "\u00b2" * 6,
        lambda code: code[:5] + "x",
        lambda code: "A" * 8,
        lambda code: "A" * 16,
        lambda code: "1e5" + code[:3],
        lambda code: "\ud7ff" * 6,
    ],
)
async def test_what_is_no_code_of_the_user_is_refused(spoil):
    world = World(factors={})
    await world.add()
    async with world.client() as client:
        phone, _ = await set_up(world, client)
        token = await begin(client)
        answer = await finish(client, token, spoil(phone.code()))
        assert_problem(answer, 401, "invalid_code")
        # The log-in goes on with a right one.
        assert (await finish(client, token, phone.code())).status_code == 200
    await world.settle()
    assert "login.failed" in world.heard("login.")


@pytest.mark.parametrize(
    ("ahead", "status"), [(-60, 401), (-30, 200), (30, 200), (60, 401)]
)
async def test_a_clock_may_be_off_by_one_step_and_not_by_a_minute(ahead, status):
    world = World(factors={})
    await world.add()
    async with world.client() as client:
        phone, _ = await set_up(world, client)
        world.clock.advance(120)
        answer = await finish(client, await begin(client), phone.code(ahead))
    assert answer.status_code == status


async def test_a_step_counts_once_and_older_ones_no_more():
    world = World(factors={})
    await world.add()
    async with world.client() as client:
        phone, _ = await set_up(world, client)
        token = await begin(client)
        assert (await finish(client, token, phone.code())).status_code == 200
        for code in (phone.code(), phone.code(-30)):
            assert_problem(await finish(client, token, code), 401, "invalid_code")
        assert (await finish(client, token, phone.code(30))).status_code == 200


async def test_the_code_that_sets_an_app_up_logs_nobody_in():
    world = World(factors={})
    await world.add()
    async with world.client() as client:
        headers = bearer(await log_in(client))
        enrolment = (await client.post("/factors/totp", headers=headers)).json()
        code = Phone(world, enrolment["uri"]).code()
        body = {"enrolment": enrolment["enrolment"], "code": code}
        await client.post("/factors/totp/confirm", json=body, headers=headers)
        answer = await finish(client, await begin(client), code)
    assert_problem(answer, 401, "invalid_code")


async def test_of_fifty_racing_log_ins_with_one_code_one_is_let_in():
    world = World(factors={})
    account = await world.add()
    async with world.client() as client:
        phone, codes = await set_up(world, client)
        for code in (phone.code(), codes[0]):
            tokens = [await begin(client) for _ in range(5)]
            before = len(await world.tokens.sessions(account.id))
            answers = await asyncio.gather(
                *(finish(client, token, code) for token in tokens * 10)
            )
            statuses = sorted(answer.status_code for answer in answers)
            assert statuses == [200, *[401] * 49]
            assert len(await world.tokens.sessions(account.id)) == before + 1


async def test_a_recovery_code_logs_in_once_in_any_spelling():
    world = World(factors={})
    await world.add()
    async with world.client() as client:
        _, codes = await set_up(world, client)
        assert all(re.fullmatch("[A-Z2-7]{4}(-[A-Z2-7]{4}){3}", c) for c in codes)
        typed = codes[3].lower().replace("-", " ").replace("o", "0").replace("b", "8")
        token = await begin(client)
        pair = (await finish(client, token, typed)).json()
        assert_problem(await finish(client, token, codes[3]), 401, "invalid_code")
        assert (await finish(client, token, codes[4])).status_code == 200
        listed = await client.get("/factors", headers=bearer(pair))
    left = {each["method"]: each.get("codes_left") for each in listed.json()["factors"]}
    assert left == {"totp": None, "recovery": 8}
    await world.settle()
    used = [event for event in world.events if event.name == "factor.used"]
    assert [event.detail.get("left") for event in used] == [9, 8]


async def test_codes_are_kept_as_digests_and_secrets_sealed():
    store = MemoryFactors()
    world = World(factors={"store": store})
    account = await world.add()
    async with world.client() as client:
        phone, codes = await set_up(world, client)
    kept = repr([dict(record.data) for record in await store.find(account.id)])
    assert phone.app.secret not in kept
    assert not any(code in kept or code.replace("-", "") in kept for code in codes)
    shown = repr(await store.find(account.id))
    assert "secret" not in shown


@pytest.mark.parametrize("token", [None, "", "nonsense", "a.b.c"])
async def test_there_is_no_second_step_without_a_first(token):
    world = World(factors={})
    await world.add()
    async with world.client() as client:
        phone, _ = await set_up(world, client)
        for path, body in [
            ("/login/factor", {"pending_token": token, "code": phone.code()}),
            ("/login/factor/email", {"pending_token": token}),
        ]:
            assert_problem(await client.post(path, json=body), 401, "invalid_token")


async def test_a_pending_token_is_good_for_nothing_else_and_no_other_token_for_it():
    world = World(factors={})
    await world.add()
    async with world.client() as client:
        phone, _ = await set_up(world, client)
        pair = await log_in_fully(client, phone)
        token = await begin(client)
        as_bearer = {"Authorization": f"Bearer {token}"}
        assert (await client.get("/me", headers=as_bearer)).status_code == 401
        refresh = {"refresh_token": token}
        assert (await client.post("/refresh", json=refresh)).status_code == 401
        for other in (pair["access_token"], pair["refresh_token"]):
            answer = await finish(client, other, phone.code(30))
            assert_problem(answer, 401, "invalid_token")


async def test_a_pending_token_is_over_after_ten_minutes_or_another_password():
    world = World(factors={})
    account = await world.add()
    async with world.client() as client:
        phone, _ = await set_up(world, client)
        token = await begin(client)
        world.clock.advance(599)
        assert (await finish(client, token, phone.code())).status_code == 200
        world.clock.advance(60)
        assert_problem(await finish(client, token, phone.code()), 401, "token_expired")
        token = await begin(client)
        await world.accounts.change_password(account.id, PASSWORD, "green-canoe-77-tea")
        assert_problem(await finish(client, token, phone.code()), 401, "invalid_token")


@pytest.mark.parametrize("end", ["disable", "delete"])
async def test_a_pending_token_is_over_with_its_account(end):
    world = World(factors={})
    account = await world.add()
    async with world.client() as client:
        phone, _ = await set_up(world, client)
        token = await begin(client)
        await getattr(world.accounts, end)(account.id)
        assert_problem(await finish(client, token, phone.code()), 401, "invalid_token")
    left = await world.factors.list(account.id)
    # Whoever is enabled again is asked for the factor again.
    assert bool(left) == (end == "disable")


async def test_a_log_in_right_after_all_sessions_were_ended_can_be_finished():
    world = World(factors={})
    account = await world.add()
    async with world.client() as client:
        phone, _ = await set_up(world, client)
        world.clock.advance(0.75)
        await world.tokens.revoke_subject(account.id)
        answer = await finish(client, await begin(client), phone.code())
    assert answer.status_code == 200


# ------------------------------------------------------------------------------ e-mail


async def set_up_email(world, client) -> dict[str, str]:
    headers = bearer(await log_in(client))
    answer = await client.post("/factors/email", headers=headers)
    assert answer.status_code == 202
    await world.outbox.drain()
    code = {"code": world.mailbox.token("code")}
    answer = await client.post("/factors/email/confirm", json=code, headers=headers)
    assert answer.status_code == 200, answer.text
    assert len(answer.json()["recovery_codes"]) == 10
    return headers


async def ask_for_mail(world, client, token) -> str:
    answer = await client.post("/login/factor/email", json={"pending_token": token})
    assert answer.status_code == 202, answer.text
    await world.outbox.drain()
    return world.mailbox.token("code")


async def test_a_code_by_e_mail_logs_in_once():
    world = World(factors={})
    await world.add()
    async with world.client() as client:
        await set_up_email(world, client)
        token = await begin(client)
        code = await ask_for_mail(world, client, token)
        assert re.fullmatch("[A-Z2-7]{4}-[A-Z2-7]{4}", code)
        assert (await finish(client, token, code.lower())).status_code == 200
        assert_problem(await finish(client, token, code), 401, "invalid_code")


async def test_a_code_by_e_mail_is_for_the_browser_that_asked():
    world = World(factors={})
    await world.add()
    async with world.client() as client:
        await set_up_email(world, client)
        mine, other = await begin(client), await begin(client)
        code = await ask_for_mail(world, client, mine)
        assert_problem(await finish(client, other, code), 401, "invalid_code")
        assert (await finish(client, mine, code)).status_code == 200


async def test_a_code_by_e_mail_has_five_tries_and_ten_minutes():
    world = World(factors={})
    await world.add()
    async with world.client() as client:
        await set_up_email(world, client)
        token = await begin(client)
        code = await ask_for_mail(world, client, token)
        wrong = "A" * 8 if code != "AAAA-AAAA" else "B" * 8
        answers = await asyncio.gather(
            *(finish(client, token, wrong) for _ in range(50))
        )
        assert {answer.status_code for answer in answers} == {401}
        assert_problem(await finish(client, token, code), 401, "invalid_code")

        token = await begin(client)
        code = await ask_for_mail(world, client, token)
        for _ in range(4):
            await finish(client, token, wrong)
        assert (await finish(client, token, code)).status_code == 200

        token = await begin(client)
        code = await ask_for_mail(world, client, token)
        world.clock.advance(600)
        answer = await finish(client, await begin(client), code)
        assert_problem(answer, 401, "invalid_code")


async def test_only_the_last_code_by_e_mail_counts_and_nothing_is_used_up_by_looking():
    world = World(factors={})
    await world.add()
    async with world.client() as client:
        await set_up_email(world, client)
        token = await begin(client)
        first = await ask_for_mail(world, client, token)
        second = await ask_for_mail(world, client, token)
        for path in ("/login/factor", "/login/factor/email", "/factors/email/confirm"):
            for method in ("GET", "HEAD"):
                answer = await client.request(
                    method, path, params={"code": second, "pending_token": token}
                )
                assert answer.status_code == 405
        assert_problem(await finish(client, token, first), 401, "invalid_code")
        assert (await finish(client, token, second)).status_code == 200


async def test_a_code_by_e_mail_is_worth_nothing_for_another_address():
    world = World(factors={})
    account = await world.add()
    async with world.client() as client:
        await set_up_email(world, client)
        token = await begin(client)
        code = await ask_for_mail(world, client, token)
        await world.accounts.change_email(account.id, PASSWORD, "new@example.com")
        await world.outbox.drain()
        change = world.mailbox.token("change_email")
        await world.accounts.confirm_email(change, PASSWORD)
        assert_problem(await finish(client, token, code), 401, "invalid_code")


async def test_no_code_is_sent_to_who_has_not_asked_for_codes_by_e_mail():
    world = World(factors={})
    await world.add()
    async with world.client() as client:
        await set_up(world, client)
        token = await begin(client)
        body = {"pending_token": token}
        answer = await client.post("/login/factor/email", json=body)
        assert (answer.status_code, answer.json()) == (202, {"status": "code_sent"})
        await world.outbox.drain()
    assert "code" not in world.mailbox.kinds()


async def test_an_address_that_is_not_confirmed_asks_nobody_for_codes():
    world = World(factors={})
    await world.add()
    async with world.client() as client:
        headers = bearer(await log_in(client))
        await client.post("/factors/email", headers=headers)
        listed = await client.get("/factors", headers=headers)
        assert listed.json() == {"factors": []}
        await log_in(client)
        gone = await client.request("DELETE", "/factors/email", headers=headers)
        assert_problem(gone, 404, "not_found")


async def test_codes_by_e_mail_are_limited_and_no_stranger_uses_up_an_owners():
    world = World(factors={}, limiter=limited(recipient=Limit(5, 3600)))
    await world.add()
    async with world.client() as client:
        await set_up_email(world, client)
        known = (await log_in_by_mail(world, client))["device_token"]
        stranger = await begin(client)
        body = {"pending_token": stranger}
        answers = [
            await client.post("/login/factor/email", json=body) for _ in range(6)
        ]
        assert_problem(answers[-1], 429, "rate_limited")
        mine = await begin(client, device_token=known)
        code = await ask_for_mail(world, client, mine)
        assert (await finish(client, mine, code)).status_code == 200


# ---------------------------------------------------------------------------- changing


async def test_changing_factors_asks_for_a_fresh_log_in():
    world = World(factors={})
    await world.add()
    async with world.client() as client:
        headers = bearer(await log_in(client))
        world.clock.advance(301)
        for method, path, body in [
            ("POST", "/factors/totp", None),
            ("POST", "/factors/totp/confirm", {"enrolment": "x", "code": "123456"}),
            ("POST", "/factors/email", None),
            ("POST", "/factors/email/confirm", {"code": "ABCDEFGH"}),
            ("POST", "/factors/recovery", None),
            ("DELETE", "/factors/totp", None),
        ]:
            answer = await client.request(method, path, json=body, headers=headers)
            assert_problem(answer, 401, "insufficient_user_authentication")
            assert "max_age" in answer.headers["www-authenticate"]
            nobody = await client.request(method, path, json=body)
            assert_problem(nobody, 401, "unauthenticated")


async def test_who_has_a_factor_changes_factors_only_after_showing_one():
    world = World(factors={})
    await world.add()
    async with world.client() as client:
        weak = bearer(await log_in(client))
        phone, old = await set_up(world, client)
        # The session was opened before there was a factor: it has shown none.
        answer = await client.request("DELETE", "/factors/totp", headers=weak)
        assert_problem(answer, 401, "insufficient_user_authentication")
        assert 'acr_values="mfa"' in answer.headers["www-authenticate"]

        strong = bearer(await log_in_fully(client, phone))
        codes = (await client.post("/factors/recovery", headers=strong)).json()
        token = await begin(client)
        assert_problem(await finish(client, token, old[0]), 401, "invalid_code")
        done = await finish(client, token, codes["recovery_codes"][0])
        assert done.status_code == 200
        gone = await client.request("DELETE", "/factors/totp", headers=strong)
        assert gone.status_code == 204
        # Recovery codes alone ask nobody for anything.
        await log_in(client)
    await world.outbox.drain()
    assert world.mailbox.kinds().count("factors_changed") == 3


async def test_a_replaced_app_is_over_and_the_recovery_codes_stay():
    world = World(factors={})
    await world.add()
    async with world.client() as client:
        old, codes = await set_up(world, client)
        headers = bearer(await log_in_fully(client, old))
        enrolment = (await client.post("/factors/totp", headers=headers)).json()
        # Until the new one is confirmed, the old one counts.
        world.clock.advance(60)
        await log_in_fully(client, old)
        new = Phone(world, enrolment["uri"])
        body = {"enrolment": enrolment["enrolment"], "code": new.code()}
        answer = await client.post("/factors/totp/confirm", json=body, headers=headers)
        assert answer.json() == {"recovery_codes": []}
        world.clock.advance(60)
        token = await begin(client)
        assert_problem(await finish(client, token, old.code()), 401, "invalid_code")
        assert (await finish(client, token, new.code())).status_code == 200
        assert (await finish(client, token, codes[0])).status_code == 200


@pytest.mark.parametrize("enrolment", ["", "x", "a.b", "\u00e9.x", "1" * 8192])
async def test_a_made_up_enrolment_sets_nothing_up(enrolment):
    world = World(factors={})
    await world.add()
    async with world.client() as client:
        headers = bearer(await log_in(client))
        body = {"enrolment": enrolment, "code": "123456"}
        answer = await client.post("/factors/totp/confirm", json=body, headers=headers)
        assert_problem(answer, 401, "invalid_code")


async def test_an_enrolment_is_for_its_user_and_ten_minutes():
    world = World(factors={})
    await world.add()
    await world.add("bob@example.com")
    async with world.client() as client:
        ann = bearer(await log_in(client))
        bob = bearer(await log_in(client, "bob@example.com"))
        enrolment = (await client.post("/factors/totp", headers=ann)).json()
        phone = Phone(world, enrolment["uri"])
        for headers, code, wait in [
            (bob, phone.code(), 0),
            (ann, "000000" if phone.code() != "000000" else "111111", 0),
            (ann, "AAAAAAAA", 0),
            (ann, phone.code(600), 600),
        ]:
            world.clock.advance(wait)
            caller = bearer(await log_in(client)) if wait else headers
            body = {"enrolment": enrolment["enrolment"], "code": code}
            answer = await client.post(
                "/factors/totp/confirm", json=body, headers=caller
            )
            assert_problem(answer, 401, "invalid_code")
        assert (await client.get("/factors", headers=caller)).json()["factors"] == []


@pytest.mark.parametrize("method", ["totp", "email", "recovery", "x", "..%2Fme"])
async def test_what_a_user_does_not_have_cannot_be_removed(method):
    world = World(factors={})
    await world.add()
    async with world.client() as client:
        headers = bearer(await log_in(client))
        answer = await client.request("DELETE", f"/factors/{method}", headers=headers)
        assert_problem(answer, 404, "not_found")


async def test_an_administrator_resets_what_a_user_has_lost():
    world = World(factors={})
    account = await world.add()
    async with world.client() as client:
        await set_up(world, client)
        await begin(client)
        await world.factors.reset(account.id, by="root")
        await log_in(client)
    await world.settle()
    event = next(event for event in world.events if event.name == "factor.reset")
    assert (event.subject, dict(event.detail)) == (account.id, {"by": "root"})


# ------------------------------------------------------------------------------ limits


def limited(**rules):
    return RateLimiter(limits=Limits(**{**LOOSE, **rules}))


async def test_five_wrong_codes_make_a_pause_that_locks_no_owner_out():
    world = World(factors={}, limiter=limited(codes=Limit(5, 300)))
    await world.add()
    async with world.client() as client:
        phone, codes = await set_up(world, client)
        known = (await log_in_fully(client, phone))["device_token"]
        world.clock.advance(60)
        token = await begin(client)
        for _ in range(5):
            assert_problem(await finish(client, token, "000000"), 401, "invalid_code")
        for pending in (token, await begin(client)):
            paused = await finish(client, pending, phone.code())
            assert_problem(paused, 429, "rate_limited")
            assert int(paused.headers["retry-after"]) >= 1

        # From a device that is known, from elsewhere, and with a recovery code.
        mine = await begin(client, device_token=known)
        assert (await finish(client, mine, phone.code())).status_code == 200
        world.clock.advance(60)
        assert (await finish(client, token, codes[0])).status_code == 200
    async with world.client(ip="198.51.100.7") as elsewhere:
        answer = await finish(elsewhere, await begin(elsewhere), phone.code())
        assert answer.status_code == 200
    await world.settle()
    assert world.heard("login.locked")


async def test_a_device_from_before_the_factor_has_no_counter_to_guess_with():
    rules = {"codes": Limit(5, 300), "guesses": Limit(20, 3600)}
    world = World(factors={}, limiter=limited(**rules))
    await world.add()
    async with world.client() as client:
        devices = [(await log_in(client))["device_token"] for _ in range(6)]
        phone, codes = await set_up(world, client)
        answers = []
        for device in devices:
            token = await begin(client, device_token=device)
            answers += [await finish(client, token, "000000") for _ in range(5)]
        assert [answer.status_code for answer in answers] == [401] * 5 + [429] * 25
        # From then on the device is the owner's.
        token = await begin(client, device_token=devices[0])
        shown = (await finish(client, token, codes[0])).json()["device_token"]
        mine = await begin(client, device_token=shown)
        assert (await finish(client, mine, phone.code())).status_code == 200


async def test_guesses_from_many_addresses_pause_strangers_only():
    world = World(factors={}, limiter=limited(guesses=Limit(20, 3600)))
    await world.add()
    async with world.client() as client:
        phone, codes = await set_up(world, client)
        known = (await log_in_fully(client, phone))["device_token"]
        world.clock.advance(60)
    for number in range(21):
        async with world.client(ip=f"203.0.113.{number}") as client:
            answer = await finish(client, await begin(client), "000000")
            assert answer.status_code == (401 if number < 20 else 429)
    async with world.client(ip="198.51.100.7") as client:
        mine = await begin(client, device_token=known)
        assert (await finish(client, mine, phone.code())).status_code == 200
        assert (await finish(client, await begin(client), codes[0])).status_code == 200


async def test_right_codes_are_not_counted():
    rules = {"codes": Limit(1, 300), "guesses": Limit(1, 300)}
    world = World(factors={}, limiter=limited(**rules))
    await world.add()
    async with world.client() as client:
        phone, _ = await set_up(world, client)
        for _ in range(4):
            await log_in_fully(client, phone)
            world.clock.advance(60)


# --------------------------------------------------------------------- trusted devices


async def test_a_trusted_device_is_spared_its_second_factor_and_not_step_up():
    world = World(factors={})
    await world.add()
    async with world.client() as client:
        phone, _ = await set_up(world, client)
        answer = await finish(
            client, await begin(client), phone.code(), trust_device=True
        )
        trust = answer.json()["trust_token"]
        pair = await log_in(client, trust_token=trust)
        claims = await world.tokens.verify(pair["access_token"])
        assert ("acr" in claims, claims["amr"]) == (False, ("pwd",))
        removal = await client.request("DELETE", "/factors/totp", headers=bearer(pair))
        assert_problem(removal, 401, "insufficient_user_authentication")
        again = await client.post(
            "/reauthenticate", json={"password": PASSWORD}, headers=bearer(pair)
        )
        assert_problem(again, 401, "second_factor_required")
        world.clock.advance(30 * 86400 + 1)
        await begin(client, trust_token=trust)


async def test_trust_is_over_with_another_factor_another_user_or_all_sessions():
    world = World(factors={})
    account = await world.add()
    await world.add("bob@example.com")
    async with world.client() as client:

        async def trusted(phone):
            token = await begin(client)
            answer = await finish(client, token, phone.code(), trust_device=True)
            world.clock.advance(60)
            return answer.json()["trust_token"]

        phone, _ = await set_up(world, client)
        trust = await trusted(phone)
        for bad in ("x", trust[:-4] + "AAAA", await begin(client)):
            await begin(client, trust_token=bad)

        await world.factors.reset(account.id)
        phone, _ = await set_up(world, client)
        await begin(client, trust_token=trust)

        trust = await trusted(phone)
        await log_in(client, trust_token=trust)
        await world.tokens.revoke_subject(account.id)
        world.clock.advance(2)
        await begin(client, trust_token=trust)


async def test_no_device_is_trusted_where_that_is_not_offered():
    world = World(factors={"trust_for": 0})
    await world.add()
    async with world.client() as client:
        phone, _ = await set_up(world, client)
        token = await begin(client)
        answer = await finish(client, token, phone.code(), trust_device=True)
    assert "trust_token" not in answer.json()
    for days in (-1, 366 * 86400):
        with pytest.raises(ConfigurationError, match="trust_for"):
            World(factors={"trust_for": days})


async def test_with_cookies_no_script_sees_the_tokens_of_the_steps():
    world = World(factors={}, delivery="cookie")
    await world.add()
    origin = {"sec-fetch-site": "same-origin"}
    async with world.client(headers=origin) as client:
        phone, _ = await set_up_with_cookies(world, client)

        first = await client.post("/login", json=RIGHT)
        assert_problem(first, 401, "second_factor_required")
        assert "pending_token" not in first.json()
        cookie = set_cookies(first)["__Secure-pending"]
        assert (cookie["max-age"], cookie["path"]) == ("600", "/")
        assert {"httponly", "secure"} <= cookie.keys()
        assert cookie["samesite"] == "strict"

        body = {"code": phone.code(), "trust_device": True}
        foreign = {"sec-fetch-site": "cross-site"}
        stolen = await client.post("/login/factor", json=body, headers=foreign)
        assert_problem(stolen, 403, "cross_origin")
        done = await client.post("/login/factor", json=body)
        assert done.status_code == 200
        cookies = set_cookies(done)
        assert cookies["__Secure-pending"]["max-age"] == "0"
        assert cookies["__Secure-trust"]["max-age"] == str(30 * 86400)
        assert "trust_token" not in done.json()
        assert (await client.post("/login", json=RIGHT)).status_code == 200


# ------------------------------------------------------------------------------ guards


async def test_a_guard_for_two_factors_sends_back_and_step_up_opens_it():
    world = World(factors={})
    await world.add()

    async def orders(scope, receive, send):
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    app = AuthenticationMiddleware(
        requires(acr="mfa")(orders), JWTBackend(world.tokens)
    )
    async with world.client() as client, world.client(app=app) as api:
        phone, codes = await set_up(world, client)
        trusted = await finish(
            client, await begin(client), phone.code(), trust_device=True
        )
        assert (await api.get("/", headers=bearer(trusted.json()))).status_code == 204
        weak = await log_in(client, trust_token=trusted.json()["trust_token"])
        refusal = await api.get("/", headers=bearer(weak))
        assert_problem(refusal, 401, "insufficient_user_authentication")
        assert 'acr_values="mfa"' in refusal.headers["www-authenticate"]
        strong = await client.post(
            "/reauthenticate",
            json={"password": PASSWORD, "code": codes[0]},
            headers=bearer(weak),
        )
        assert (await api.get("/", headers=bearer(strong.json()))).status_code == 204
        assert (await api.get("/", headers=bearer(weak))).status_code == 401


async def test_a_step_up_works_with_a_code_by_e_mail():
    world = World(factors={})
    await world.add()
    async with world.client() as client:
        await set_up_email(world, client)
        pair = await log_in_by_mail(world, client)
        body = {"password": PASSWORD}
        first = await client.post("/reauthenticate", json=body, headers=bearer(pair))
        assert_problem(first, 401, "second_factor_required")
        code = await ask_for_mail(world, client, first.json()["pending_token"])
        done = await client.post(
            "/reauthenticate", json={**body, "code": code}, headers=bearer(pair)
        )
        assert done.status_code == 200
        claims = await world.tokens.verify(done.json()["access_token"])
    assert claims["acr"] == "mfa"


# -------------------------------------------------------------------------- other parts


class Down(MemoryFactors):
    """A store that can fail."""

    down = False
    calls = 0

    async def find(self, subject):
        self.calls += 1
        if self.down:
            raise UnavailableError
        return await super().find(subject)

    async def put(self, record):
        self.calls += 1
        return await super().put(record)


async def test_a_store_that_is_down_lets_nobody_in_with_one_factor():
    store = Down()
    world = World(factors={"store": store})
    await world.add()
    async with world.client() as client:
        phone, codes = await set_up(world, client)
        token = await begin(client)
        store.down = True
        for answer in [
            await client.post("/login", json=RIGHT),
            await client.post("/login", json={**RIGHT, "code": phone.code()}),
            await finish(client, token, phone.code()),
            await finish(client, token, codes[0]),
        ]:
            assert_problem(answer, 503, "unavailable")
            assert "retry-after" in answer.headers
        store.down = False
        assert (await finish(client, token, phone.code())).status_code == 200


async def test_a_log_in_asks_the_factors_once_and_writes_once():
    store = Down()
    world = World(factors={"store": store})
    await world.add()

    async def trips(step) -> int:
        store.calls = 0
        assert await step
        return store.calls

    async with world.client() as client:
        phone, _ = await set_up(world, client)
        token = await begin(client)
        # One to see the factors; one to see, one to use up; the same in one step.
        assert await trips(begin(client)) == 1
        assert await trips(finish(client, token, phone.code())) == 2
        assert await trips(log_in(client, code=phone.code(30))) == 2


async def test_a_key_that_is_gone_is_an_outage_and_recovery_codes_go_on(caplog):
    store = MemoryFactors()
    world = World(factors={"store": store})
    account = await world.add()
    async with world.client() as client:
        phone, codes = await set_up(world, client)
        record = next(r for r in await store.find(account.id) if r.kind == "totp")
        await store.put(
            type(record)(
                subject=record.subject,
                kind="totp",
                since=record.since,
                data={**record.data, "secret": "gone.AAAA"},
                version=record.version,
            )
        )
        token = await begin(client)
        answer = await finish(client, token, phone.code())
        assert_problem(answer, 503, "unavailable")
        assert "'gone'" in caplog.text
        assert (await finish(client, token, codes[0])).status_code == 200


async def test_without_mail_there_are_no_codes_by_e_mail():
    world = World(factors={"send_message": None})
    account = await world.add()
    paths = world.routes.openapi()["paths"]
    assert "/factors/totp" in paths
    assert not any("email" in path for path in paths if "factor" in path)
    with pytest.raises(ConfigurationError, match="send_message"):
        await world.factors.send_code(account, attempt="x")
    with pytest.raises(ConfigurationError, match="factors"):
        World(include=["factors"])
    with pytest.raises(ConfigurationError, match="not both"):
        World(factors={}, second_factor=lambda account, code: None)


async def test_a_callable_of_the_application_is_asked_in_the_second_step_too():
    async def ask(account, code):
        from asgi_auth import InvalidCredentialsError
        from asgi_auth.routes import SecondFactorRequiredError

        if code is None:
            raise SecondFactorRequiredError
        if code != "123456":
            raise InvalidCredentialsError
        return Factor(acr="mfa", amr=("sms",))

    world = World(second_factor=ask)
    await world.add()
    async with world.client() as client:
        token = await begin(client)
        wrong = await finish(client, token, "000000")
        assert_problem(wrong, 401, "invalid_credentials")
        pair = (await finish(client, token, "123456")).json()
    claims = await world.tokens.verify(pair["access_token"])
    assert (claims["acr"], claims["amr"]) == ("mfa", ("pwd", "sms"))


async def test_a_first_factor_of_another_kind_asks_for_the_second_too():
    """What the routes of identity providers and passkeys do."""
    world = World(factors={}, delivery="cookie")
    account = await world.add()
    completion = LogInCompletion(world.routes._context)

    async def callback(scope, receive, send):
        request = Request(scope, receive)
        acr = request.query_params.get("acr")
        proof = Proof(account=account, amr=("fed",), acr=acr, medium="cookie")
        try:
            response = await completion.complete(request, proof)
        except AuthError as error:
            await deny(error, scope, receive, send)
        else:
            await response(scope, receive, send)

    same = {"sec-fetch-site": "same-origin"}
    async with world.client(headers=same) as client:
        phone, _ = await set_up_with_cookies(world, client)
    async with (
        world.client(app=callback) as provider,
        world.client(headers=same) as client,
    ):
        first = await provider.get("/")
        assert_problem(first, 401, "second_factor_required")
        pending = set_cookies(first)["__Secure-pending"]["value"]
        cookies = {"cookie": f"__Secure-pending={pending}"}
        body = {"code": phone.code(), "trust_device": True}
        done = await client.post("/login/factor", json=body, headers=cookies)
        access = set_cookies(done)["__Host-access"]["value"]
        claims = await world.tokens.verify(access)
        assert (claims["acr"], claims["amr"]) == ("mfa", ("fed", "otp", "mfa"))

        trust = set_cookies(done)["__Secure-trust"]["value"]
        device = set_cookies(done)["__Secure-device"]["value"]
        cookies = {"cookie": f"__Secure-trust={trust}; __Secure-device={device}"}
        assert (await provider.get("/", headers=cookies)).status_code == 200
        strong = await provider.get("/?acr=mfa")
        access = set_cookies(strong)["__Host-access"]["value"]
        assert (await world.tokens.verify(access))["acr"] == "mfa"


async def test_names_are_spelled_as_the_routes_spell_all_others():
    world = World(factors={}, camel_case=True)
    account = await world.add()
    enrolment = world.factors.begin_totp(account)
    phone = Phone(world, enrolment.uri)
    await world.factors.confirm_totp(account, enrolment.token, phone.code())
    world.clock.advance(60)
    async with world.client() as client:
        first = (await client.post("/login", json=RIGHT)).json()
        assert first["expiresIn"] == 600
        body = {
            "pendingToken": first["pendingToken"],
            "code": phone.code(),
            "trustDevice": True,
        }
        done = (await client.post("/login/factor", json=body)).json()
    assert {"accessToken", "trustToken"} <= done.keys()


async def test_a_user_without_an_address_gets_no_codes_by_e_mail():
    world = World(factors={})
    account = await world.add()
    async with world.client() as client:
        headers = bearer(await log_in(client))
        await world.store.update(replace(account, email=""))
        answer = await client.post("/factors/email", headers=headers)
    assert_problem(answer, 404, "not_found")
