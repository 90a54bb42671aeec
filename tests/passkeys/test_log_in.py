"""Log in with a passkey: without a name, as second factor, once more."""

from __future__ import annotations

import asyncio
import inspect
import json
from collections import Counter
from dataclasses import replace

import pytest

from asgi_auth.errors import UnavailableError
from asgi_auth.passkeys import MemoryPasskeys, Passkeys
from asgi_auth.passkeys.ceremonies import Ceremonies
from asgi_auth.ratelimit import Limits
from asgi_auth.ratelimit.limiter import Limit, RateLimiter
from asgi_auth.routes import Cookies
from asgi_auth.stores.memory import MemoryStore
from asgi_auth.tokens.codec import peek
from tests.passkeys.authenticator import (
    BACKED_UP,
    ORIGIN,
    PRESENT,
    RP_ID,
    SYNCED,
    VERIFIED,
    Authenticator,
    eddsa,
    encoded,
    rs256,
)
from tests.passkeys.world import PasskeyWorld, add_passkey, ask, bearer, log_in, show
from tests.routes.world import EMAIL, LOOSE, PASSWORD, assert_problem, set_cookies

pytestmark = pytest.mark.anyio


@pytest.fixture
async def world():
    world = PasskeyWorld()
    await world.add()
    return world


@pytest.fixture
async def client(world):
    async with world.client() as client:
        yield client


@pytest.fixture
async def pair(client):
    return await log_in(client)


def claims_of(answer):
    assert answer.status_code == 200, answer.text
    return peek(answer.json()["access_token"].encode())[1]


async def test_a_user_logs_in_without_a_name(world, client, pair):
    passkey = await add_passkey(client, pair, name="Key ring")
    question = await ask(client)
    assert question["options"]["allowCredentials"] == []
    assert question["options"]["userVerification"] == "required"
    claims = claims_of(await show(client, passkey, question, device_label="Phone"))
    account = await world.store.find_by_email(EMAIL)
    assert claims["sub"] == account.id
    assert claims["amr"] == ("hwk", "user", "mfa")
    assert claims["acr"] == "mfa"
    assert await world.reported("login.") == ["login.succeeded"] * 2
    sessions = await world.tokens.sessions(account.id)
    assert {each.device.label for each in sessions} == {None, "Phone"}


@pytest.mark.parametrize("algorithm", [eddsa, rs256])
async def test_the_other_algorithms_serve_as_well(client, pair, algorithm):
    passkey = await add_passkey(client, pair, Authenticator(algorithm=algorithm))
    assert (await show(client, passkey)).status_code == 200


async def test_a_synced_passkey_says_so_and_whether_it_is_backed_up(
    world, client, pair
):
    flags = PRESENT | VERIFIED | SYNCED
    passkey = await add_passkey(client, pair, Authenticator(flags=flags))
    assert claims_of(await show(client, passkey))["amr"] == ("swk", "user", "mfa")
    kept = await world.passkeys.store.find(encoded(passkey.id))
    assert (kept.is_synced, kept.is_backed_up) == (True, False)
    passkey.flags |= BACKED_UP
    claims_of(await show(client, passkey))
    listed = (await client.get("/passkeys", headers=bearer(pair))).json()["passkeys"]
    assert (listed[0]["synced"], listed[0]["backed_up"]) == (True, True)


async def test_what_is_bound_to_a_device_does_not_become_synced(client, pair):
    passkey = await add_passkey(client, pair)
    passkey.flags |= SYNCED
    assert_problem(await show(client, passkey), 401, "passkey_refused")


async def forged_challenge(client, passkey, question):
    other = await ask(client)
    return passkey.sign(other["options"])


async def forged_origin(client, passkey, question):
    passkey.origin = "https://www.example.com.evil.example"
    return passkey.sign(question["options"])


async def forged_domain(client, passkey, question):
    passkey.rp_id = "evil.example"
    return passkey.sign(question["options"])


async def framed(client, passkey, question):
    return passkey.sign(question["options"], crossOrigin=True)


async def framed_by_another(client, passkey, question):
    return passkey.sign(question["options"], topOrigin="https://evil.example")


async def unverified(client, passkey, question):
    passkey.flags = PRESENT
    return passkey.sign(question["options"])


async def absent(client, passkey, question):
    passkey.flags = VERIFIED
    return passkey.sign(question["options"])


async def of_a_registration(client, passkey, question):
    return passkey.sign(question["options"], kind="create")


async def of_another_key(client, passkey, question):
    other = Authenticator(id=passkey.id, handle=passkey.handle)
    return other.sign(question["options"])


async def of_an_unknown_passkey(client, passkey, question):
    return Authenticator(handle=passkey.handle).sign(question["options"])


async def of_another_user(client, passkey, question):
    passkey.handle = encoded(bytes(32))
    return passkey.sign(question["options"])


async def of_nobody(client, passkey, question):
    return passkey.sign(question["options"], handle=False)


async def with_another_raw_id(client, passkey, question):
    return {**passkey.sign(question["options"]), "rawId": encoded(b"other")}


async def with_a_cut_signature(client, passkey, question):
    answer = passkey.sign(question["options"])
    answer["response"]["signature"] = answer["response"]["signature"][:-8]
    return answer


async def with_rubbish(client, passkey, question):
    answer = passkey.sign(question["options"])
    answer["response"]["authenticatorData"] = "\ud800\0ß"
    return answer


async def with_client_data_that_is_a_list(client, passkey, question):
    answer = passkey.sign(question["options"])
    answer["response"]["clientDataJSON"] = encoded(b"[1]")
    return answer


BAD = [
    forged_challenge,
    forged_origin,
    forged_domain,
    framed,
    framed_by_another,
    unverified,
    absent,
    of_a_registration,
    of_another_key,
    of_an_unknown_passkey,
    of_another_user,
    of_nobody,
    with_another_raw_id,
    with_a_cut_signature,
    with_rubbish,
    with_client_data_that_is_a_list,
]


@pytest.mark.parametrize("forge", BAD, ids=lambda forge: forge.__name__)
async def test_a_bad_answer_is_refused_and_spends_nothing(world, client, pair, forge):
    passkey = await add_passkey(client, pair)
    question = await ask(client)
    good = Authenticator(**vars_of(passkey))
    good.cose, good._sign = passkey.cose, passkey._sign
    answer = {
        "credential": await forge(client, passkey, question),
        "ceremony": question["ceremony"],
    }
    body = json.dumps(answer).encode()
    headers = {"content-type": "application/json"}
    refused = await client.post("/passkeys/login", content=body, headers=headers)
    if forge is with_rubbish:
        # A lone surrogate is no JSON, as RFC 8259 has it in section 8.2.
        assert refused.status_code in {400, 401, 422}
    else:
        assert_problem(refused, 401, "passkey_refused")
        assert await world.reported("login.failed") == ["login.failed"]
    assert (await show(client, good, question)).status_code == 200


def vars_of(authenticator):
    names = ("origin", "rp_id", "flags", "count", "step", "id", "handle")
    return {name: getattr(authenticator, name) for name in names}


async def test_an_answer_is_good_once(world, client, pair):
    passkey = await add_passkey(client, pair)
    question = await ask(client)
    assert (await show(client, passkey, question)).status_code == 200
    assert_problem(await show(client, passkey, question), 401, "passkey_refused")


async def test_fifty_racing_answers_to_one_question_open_one_session(client, pair):
    passkey = await add_passkey(client, pair)
    question = await ask(client)
    calls = [show(client, passkey, question) for _ in range(50)]
    statuses = [answer.status_code for answer in await asyncio.gather(*calls)]
    assert sorted(statuses) == [200] + [401] * 49


async def test_a_question_ends(world, client, pair):
    passkey = await add_passkey(client, pair)
    question = await ask(client)
    world.clock.advance(601)
    assert_problem(await show(client, passkey, question), 401, "passkey_refused")


@pytest.mark.parametrize("token", ["", "a.b.c", "x" * 5000])
async def test_no_question_is_no_log_in(client, pair, token):
    passkey = await add_passkey(client, pair)
    question = {**await ask(client), "ceremony": token}
    assert_problem(await show(client, passkey, question), 401, "passkey_refused")


async def test_a_question_of_another_kind_is_none(client, pair):
    passkey = await add_passkey(client, pair)
    asked = await client.post("/passkeys/options", headers=bearer(pair))
    assert_problem(await show(client, passkey, asked.json()), 401, "passkey_refused")
    access = {"options": asked.json()["options"], "ceremony": pair["access_token"]}
    assert_problem(await show(client, passkey, access), 401, "passkey_refused")


async def test_a_question_of_other_passkeys_is_none(world, client, pair):
    passkey = await add_passkey(client, pair)
    other = Passkeys("example.org", ["https://example.org"])
    question = Ceremonies(other, world.tokens).begin_log_in()
    asked = {"options": question.options, "ceremony": question.token}
    assert_problem(await show(client, passkey, asked), 401, "passkey_refused")
    assert question.token not in repr(question)


async def test_a_counter_that_goes_back_is_refused_and_reported(world, client, pair):
    passkey = await add_passkey(client, pair, Authenticator(count=10, step=1))
    clone = Authenticator(**vars_of(passkey))
    clone.cose, clone._sign = passkey.cose, passkey._sign
    assert (await show(client, passkey)).status_code == 200
    assert_problem(await show(client, clone), 401, "passkey_refused")
    assert await world.reported("passkey.cloned") == ["passkey.cloned"]
    event = next(each for each in world.events if each.name == "passkey.cloned")
    assert (event.detail["kept"], event.detail["shown"]) == (11, 11)
    assert event.detail["refused"] is True
    assert (await show(client, passkey)).status_code == 200


async def test_a_clone_is_only_reported_where_that_is_asked_for():
    world = PasskeyWorld(passkeys={"on_clone": "report"})
    await world.add()
    async with world.client() as client:
        passkey = await add_passkey(
            client, await log_in(client), Authenticator(count=10)
        )
        passkey.count = 3
        assert (await show(client, passkey)).status_code == 200
        kept = await world.passkeys.store.find(encoded(passkey.id))
        assert kept.sign_count == 10
    assert await world.reported("passkey.cloned") == ["passkey.cloned"]


class Vanishing:
    """A store in which a passkey is removed between two questions."""

    def __init__(self, store, uses) -> None:
        self.store, self.uses = store, uses

    def __getattr__(self, name):
        return getattr(self.store, name)

    async def use(self, passkey_id, **facts):
        if self.uses == 0:
            passkey = await self.store.find(passkey_id)
            await self.store.remove(passkey_id, passkey.subject)
        self.uses -= 1
        return await self.store.use(passkey_id, **facts)


@pytest.mark.parametrize(("uses", "count"), [(0, 0), (1, 10)])
async def test_a_passkey_that_is_removed_meanwhile_opens_nothing(uses, count):
    store = Vanishing(MemoryPasskeys(), uses)
    world = PasskeyWorld(passkeys={"store": store, "on_clone": "report"})
    await world.add()
    async with world.client() as client:
        pair = await log_in(client)
        passkey = await add_passkey(client, pair, Authenticator(count=count))
        passkey.count = max(count - 1, 0)
        assert_problem(await show(client, passkey), 401, "passkey_refused")


async def test_whose_account_is_disabled_or_gone_does_not_log_in(world, client, pair):
    passkey = await add_passkey(client, pair)
    account = await world.store.find_by_email(EMAIL)
    disabled = await world.store.update(replace(account, disabled=True))
    assert_problem(await show(client, passkey), 401, "passkey_refused")
    await world.store.remove(disabled.id)
    assert_problem(await show(client, passkey), 401, "passkey_refused")


async def test_a_passkey_stands_for_the_second_factor_of_those_who_have_one():
    world = PasskeyWorld(passkeys={"second_factor": True})
    await world.add()
    async with world.client() as client:
        passkey = await add_passkey(client, await log_in(client))
        refused = await client.post(
            "/login", json={"email": EMAIL, "password": PASSWORD}
        )
        assert_problem(refused, 401, "second_factor_required")
        assert refused.json()["methods"] == ["passkey"]
        pending = {"pending_token": refused.json()["pending_token"]}
        asked = await client.post("/login/factor/passkey/options", json=pending)
        question = asked.json()
        allowed = question["options"]["allowCredentials"]
        assert [each["id"] for each in allowed] == [encoded(passkey.id)]
        assert allowed[0]["transports"] == ["internal", "hybrid"]

        path = "/login/factor/passkey"
        # A question of a log-in is for no second factor.
        other = await show(client, passkey, path=path, **pending)
        assert_problem(other, 401, "passkey_refused")
        answer = await show(client, passkey, question, path=path, **pending)
        assert claims_of(answer)["amr"] == ("pwd", "hwk", "user", "mfa")
        assert claims_of(answer)["acr"] == "mfa"
        again = await show(client, passkey, question, path=path, **pending)
        assert_problem(again, 401, "passkey_refused")
        # By itself it is two factors.
        assert (await show(client, passkey)).status_code == 200


async def test_another_users_passkey_is_no_second_factor():
    world = PasskeyWorld(passkeys={"second_factor": True})
    await world.add()
    await world.add("bob@example.com")
    async with world.client() as client:
        bobs = await add_passkey(client, await log_in(client, "bob@example.com"))
        await add_passkey(client, await log_in(client))
        refused = await client.post(
            "/login", json={"email": EMAIL, "password": PASSWORD}
        )
        pending = {"pending_token": refused.json()["pending_token"]}
        asked = await client.post("/login/factor/passkey/options", json=pending)
        answer = await show(
            client, bobs, asked.json(), path="/login/factor/passkey", **pending
        )
        assert_problem(answer, 401, "passkey_refused")


async def test_no_log_in_waits_for_who_has_not_begun_one(client, pair):
    for content in ({}, {"pending_token": pair["access_token"]}):
        asked = await client.post("/login/factor/passkey/options", json=content)
        assert_problem(asked, 401, "invalid_token")


async def test_a_passkey_makes_a_log_in_fresh_again(world, client, pair):
    passkey = await add_passkey(client, pair)
    world.clock.advance(301)
    stale = await client.post("/passkeys/options", headers=bearer(pair))
    assert_problem(stale, 401, "insufficient_user_authentication")
    answer = await show(
        client, passkey, path="/passkeys/reauthenticate", headers=bearer(pair)
    )
    assert claims_of(answer)["acr"] == "mfa"
    assert_problem(await client.get("/me", headers=bearer(pair)), 401, "token_revoked")
    await add_passkey(client, answer.json())
    assert await world.reported("login.reauthenticated") == ["login.reauthenticated"]


async def test_nobody_reauthenticates_with_another_users_passkey(world, client, pair):
    await world.add("bob@example.com")
    bobs = await add_passkey(client, await log_in(client, "bob@example.com"))
    answer = await show(
        client, bobs, path="/passkeys/reauthenticate", headers=bearer(pair)
    )
    assert_problem(answer, 401, "passkey_refused")
    assert (await client.get("/me", headers=bearer(pair))).status_code == 200


async def test_an_ended_session_is_not_made_fresh(world, client, pair):
    passkey = await add_passkey(client, pair)
    question = await ask(client)
    find = world.tokens.session

    async def ended(sid, subject):
        return None

    world.tokens.session = ended
    answer = await show(
        client, passkey, question, "/passkeys/reauthenticate", headers=bearer(pair)
    )
    world.tokens.session = find
    assert_problem(answer, 401, "token_revoked")


async def test_with_cookies_the_browser_that_asked_has_to_answer():
    world = PasskeyWorld(delivery="cookie", cookies=Cookies())
    await world.add()
    headers = {"origin": "https://api.example"}
    async with world.client(headers=headers) as client:
        await client.post("/login", json={"email": EMAIL, "password": PASSWORD})
        asked = (await client.post("/passkeys/options")).json()
        passkey = Authenticator()
        content = {
            "credential": passkey.make(asked["options"]),
            "ceremony": asked["ceremony"],
        }
        assert (await client.post("/passkeys", json=content)).status_code == 201
        # Two tabs ask; the first one answers.
        first = await client.post("/passkeys/login/options")
        cookie = set_cookies(first)["__Secure-browser"]
        assert "httponly" in cookie
        assert cookie["samesite"] == "strict"
        await client.post("/passkeys/login/options")

        async with world.client(headers=headers) as thief:
            stolen = await show(thief, passkey, first.json())
            assert_problem(stolen, 401, "passkey_refused")
            await thief.post("/passkeys/login/options")
            stolen = await show(thief, passkey, first.json())
            assert_problem(stolen, 401, "passkey_refused")

        answer = await show(client, passkey, first.json())
        assert answer.status_code == 200
        assert "__Host-access" in set_cookies(answer)
        foreign = {"origin": "https://evil.example"}
        refused = await client.post("/passkeys/login/options", headers=foreign)
        assert_problem(refused, 403, "cross_origin")
        answer = await show(client, passkey, path="/passkeys/reauthenticate")
        assert "__Host-access" in set_cookies(answer)


async def test_tries_are_counted_by_network_and_lock_nobody_out():
    limits = {**LOOSE, "log_in_address": Limit(5, 3600)}
    world = PasskeyWorld(limiter=RateLimiter(limits=Limits(**limits)))
    await world.add()
    async with world.client() as client:
        passkey = await add_passkey(client, await log_in(client))

    stranger = Authenticator(id=passkey.id, handle=passkey.handle)
    async with world.client(ip="192.0.2.9") as client:
        statuses = [(await show(client, stranger)).status_code for _ in range(6)]
        assert statuses == [401] * 5 + [429]
    async with world.client() as client:
        assert (await show(client, passkey)).status_code == 200
    assert "login.locked" in await world.reported("login.")


class Fragile:
    """A store of which some verbs may fail."""

    def __init__(self, store) -> None:
        self._store, self.down = store, set()

    def __getattr__(self, name):
        return self._fail if name in self.down else getattr(self._store, name)

    async def _fail(self, *args, **options):
        raise UnavailableError


@pytest.mark.parametrize("verb", ["find", "use", "once"])
async def test_a_store_that_is_down_is_an_outage_and_no_refusal(verb):
    passkeys, sessions = Fragile(MemoryPasskeys()), Fragile(MemoryStore())
    world = PasskeyWorld(passkeys={"store": passkeys}, tokens={"store": sessions})
    await world.add()
    async with world.client() as client:
        passkey = await add_passkey(client, await log_in(client))
        store = sessions if verb == "once" else passkeys
        store.down.add(verb)
        answer = await show(client, passkey)
        assert_problem(answer, 503, "unavailable")
        assert "retry-after" in answer.headers
        store.down.clear()
        assert (await show(client, passkey)).status_code == 200


async def test_while_passkeys_are_down_passwords_go_on():
    store = Fragile(MemoryPasskeys())
    world = PasskeyWorld(passkeys={"store": store})
    await world.add()
    store.down = {"find", "list", "use"}
    async with world.client() as client:
        pair = await log_in(client)
        answer = await client.get("/passkeys", headers=bearer(pair))
        assert_problem(answer, 503, "unavailable")


class Counted:
    """A store that counts what it is asked."""

    def __init__(self, name, store, counts) -> None:
        self._name, self._store, self._counts = name, store, counts

    def __getattr__(self, name):
        value = getattr(self._store, name)
        if inspect.iscoroutinefunction(value):
            self._counts[f"{self._name}.{name}"] += 1
        return value


async def test_a_log_in_asks_stores_seven_times_and_its_question_none():
    counts: Counter[str] = Counter()
    world = PasskeyWorld(
        passkeys={"store": Counted("passkeys", MemoryPasskeys(), counts)},
        tokens={"store": Counted("sessions", MemoryStore(), counts)},
    )
    world.accounts._accounts = Counted("accounts", world.store, counts)
    await world.add()
    async with world.client() as client:
        passkey = await add_passkey(client, await log_in(client))
        await asyncio.sleep(0)
        counts.clear()
        question = await ask(client)
        del counts["sessions.feed"]  # Revocations are read for all, and beside.
        assert not counts
        assert (await show(client, passkey, question)).status_code == 200

    del counts["sessions.feed"]
    assert counts == {
        "passkeys.find": 1,
        "sessions.once": 1,
        "passkeys.use": 1,
        "accounts.find_by_id": 2,
        "sessions.create": 1,
        "sessions.surplus": 1,  # Whether the user has too many.
    }


async def test_the_domain_of_passkeys_is_in_the_settings():
    passkeys = Passkeys(RP_ID, [ORIGIN])
    assert "example.com" in repr(passkeys)
